import IPVSKit
import SystemPackage

/// Prints a line for each change of the table, until it is stopped:
///
///     watch
///     watch --counters
///     watch --count 10
///
/// The first lines list the existing objects; the lines after `up to date` are changes.
@main
struct Watch {
    static func main() async throws {
        var counters = false
        var left = Int.max
        var arguments = CommandLine.arguments.dropFirst()
        while let argument = arguments.popFirst() {
            if argument == "--counters" {
                counters = true
            } else if argument == "--count", let count = arguments.popFirst().flatMap({ Int($0) }), count > 0 {
                left = count
            } else {
                print("usage: watch [--counters] [--count EVENTS]")
                return
            }
        }

        for try await event in try IPVS().events(every: .milliseconds(500), counters: counters) {
            // `print` would buffer lines if the output is not a terminal.
            try FileDescriptor.standardOutput.writeAll("\(event)\n".utf8)
            left -= 1
            if left == 0 { return }
        }
    }
}
