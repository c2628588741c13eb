import IPVSKit
import SystemPackage

/// Says what happens to the table, a line for each event, until it is ended:
///
///     watch
///     watch --counters
///     watch --count 10
///
/// The first lines say what is there; after `up to date` come the news.
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
            // Not by print, which keeps lines back where the output is no terminal.
            try FileDescriptor.standardOutput.writeAll("\(event)\n".utf8)
            left -= 1
            if left == 0 { return }
        }
    }
}
