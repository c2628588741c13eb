package import Foundation

/// A network namespace of the guest.
package enum Namespace {
    package static func make(_ name: String) throws {
        // An interrupted run may have left the namespace behind.
        remove(name)
        try run("ip", "netns", "add", name)
        try run("ip", "-n", name, "link", "set", "lo", "up")
    }

    package static func remove(_ name: String) { _ = try? run("sh", "-c", "ip netns del \(name) 2>/dev/null") }

    /// A veth pair: `10.N.0.1` is `near`'s, `10.N.0.2` `far`'s.
    ///
    /// - Parameters:
    ///   - interface: the name of the far end.
    ///   - isDefault: whether it is the far end's default route.
    package static func link(
        _ near: String, _ far: String, number: Int, interface: String = "eth0", isDefault: Bool = true
    ) throws {
        try run(
            "ip", "link", "add", "v\(number)", "netns", near, "type", "veth", "peer", "name", interface, "netns", far)
        for (name, interface, end) in [(near, "v\(number)", 1), (far, interface, 2)] {
            try run("ip", "-n", name, "addr", "add", "10.\(number).0.\(end)/24", "dev", interface)
            try run("ip", "-n", name, "link", "set", interface, "up")
        }
        if isDefault { try run("ip", "-n", far, "route", "add", "default", "via", "10.\(number).0.1") }
    }
}

/// Runs a program, which must succeed, and gives what it printed.
@discardableResult
package func run(_ command: String..., input: String = "", environment: [String: String] = [:]) throws -> String {
    try run(command, input: input, environment: environment)
}

/// Runs a program, which must succeed, and gives what it printed.
@discardableResult
package func run(_ command: [String], input: String = "", environment: [String: String] = [:]) throws -> String {
    let process = Process()
    let (output, feed) = (Pipe(), Pipe())
    try prepare(process, command, environment)
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

/// Starts a program, which the caller ends.
package func start(_ command: String...) throws -> Process {
    let process = Process()
    try prepare(process, command, [:])
    try process.run()
    return process
}

private func prepare(_ process: Process, _ command: [String], _ environment: [String: String]) throws {
    process.executableURL = URL(filePath: "/usr/bin/env")
    process.arguments = command
    process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
}

extension Duration {
    package var seconds: Double { Double(components.seconds) + Double(components.attoseconds) / 1e18 }
}

package struct BenchError: Error, CustomStringConvertible {
    package var description: String
    package init(_ description: String) { self.description = description }
}
