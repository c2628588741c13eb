import Foundation

enum Namespace {
    static func make(_ name: String) throws {
        // An interrupted run may have left the namespace behind.
        _ = try? run("sh", "-c", "ip netns del \(name) 2>/dev/null")
        try run("ip", "netns", "add", name)
        try run("ip", "-n", name, "link", "set", "lo", "up")
    }

    /// A veth pair: `10.N.0.1` is `near`'s, `10.N.0.2` `far`'s, whose default route it is.
    static func link(_ near: String, _ far: String, number: Int) throws {
        try run("ip", "link", "add", "v\(number)", "netns", near, "type", "veth", "peer", "name", "eth0", "netns", far)
        for (name, interface, end) in [(near, "v\(number)", 1), (far, "eth0", 2)] {
            try run("ip", "-n", name, "addr", "add", "10.\(number).0.\(end)/24", "dev", interface)
            try run("ip", "-n", name, "link", "set", interface, "up")
        }
        try run("ip", "-n", far, "route", "add", "default", "via", "10.\(number).0.1")
    }
}

/// Runs a program, which must succeed, and gives what it printed.
@discardableResult
func run(_ command: String..., input: String = "") throws -> String {
    let process = Process()
    let (output, feed) = (Pipe(), Pipe())
    try prepare(process, command)
    process.standardOutput = output
    process.standardInput = feed
    try process.run()
    try feed.fileHandleForWriting.write(contentsOf: Data(input.utf8))
    try feed.fileHandleForWriting.close()
    let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()
    guard process.terminationStatus == 0 else {
        throw BenchError("\(command.joined(separator: " ")) failed with \(process.terminationStatus): \(text)")
    }
    return text
}

func start(_ command: String...) throws -> Process {
    let process = Process()
    try prepare(process, command)
    try process.run()
    return process
}

private func prepare(_ process: Process, _ command: [String]) throws {
    process.executableURL = URL(filePath: "/usr/bin/env")
    process.arguments = command
}
