import Foundation

/// A failure of a measurement, in words.
struct BenchError: Error, CustomStringConvertible {
    var description: String
    init(_ description: String) { self.description = description }
}

/// A program that does works when told to, ours or a peer. It lives for all runs of a size, so that what is measured
/// is neither its start nor the first touch of its memory.
final class PeerProcess {
    let name: String
    private let process = Process()
    private let input = Pipe()
    private let output = Pipe()
    private var received: [UInt8] = []

    init(executable: URL) throws {
        name = executable.lastPathComponent
        process.executableURL = executable
        process.standardInput = input
        process.standardOutput = output
        try process.run()
    }

    /// Says a line and returns the words of the answer. Nil for `none`: it cannot do that.
    func ask(_ line: String) throws -> [String]? {
        try input.fileHandleForWriting.write(contentsOf: Data((line + "\n").utf8))
        let end: Int
        while true {
            if let newline = received.firstIndex(of: UInt8(ascii: "\n")) {
                end = newline
                break
            }
            let more = output.fileHandleForReading.availableData
            guard !more.isEmpty else { throw BenchError("\(name) ended instead of answering '\(line)'") }
            received += more
        }
        let answer = String(decoding: received[..<end], as: UTF8.self)
        received.removeSubrange(...end)
        return answer == "none" ? nil : answer.split(separator: " ").map(String.init)
    }

    /// Lets it end, and waits for that.
    func end() throws {
        try input.fileHandleForWriting.close()
        process.waitUntilExit()
        let status = process.terminationStatus
        guard status == 0 else { throw BenchError("\(name) ended with status \(status)") }
    }
}

/// Runs a command, throws unless it succeeds, and returns what it printed.
@discardableResult
func run(_ command: String...) throws -> String {
    let process = Process()
    let output = Pipe()
    process.executableURL = URL(filePath: "/usr/bin/env")
    process.arguments = command
    process.standardOutput = output
    try process.run()
    let data = try output.fileHandleForReading.readToEnd() ?? Data()
    process.waitUntilExit()
    guard process.terminationStatus == 0 else {
        throw BenchError("\(command.joined(separator: " ")) ended with status \(process.terminationStatus)")
    }
    return String(decoding: data, as: UTF8.self)
}
