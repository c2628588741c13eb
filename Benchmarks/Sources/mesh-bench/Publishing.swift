import BenchSupport
import Foundation

/// How long it takes to publish fifty ports on ingress.
enum Publishing {
    private static let ports = 3001...3050
    /// Of the Swarm's fifty commands so many are given, and the time of the others is taken to be the same: it would be
    /// longer, since each puts all ports of the service into a new task.
    private static let commandsOfSwarm = 5

    static func measure(_ tools: [String], _ swarm: Swarm) throws -> [Result] {
        let few = ports.prefix(commandsOfSwarm)
        let each = try swarm.secondsToPublish(few.first!...few.last!) / Double(commandsOfSwarm)
        try swarm.remove("published")
        let commands = each * Double(ports.count)
        let atOnce = try swarm.secondsToPublishAtOnce(ports)
        try swarm.remove("at-once")

        var results: [Result] = []
        for (index, tool) in tools.enumerated() {
            for (name, publish) in [("commands", oneByOne), ("one", together), ("apply", byFile)] {
                let node = try MeshNode(.ingress, tool, number: 11 + index, suffix: "-p")
                defer { node.end() }
                let seconds = try ContinuousClock().measure { try publish(node) }.seconds
                for port in [ports.lowerBound, ports.upperBound] {
                    try Client.expectAnswer(at: "\(node.address):\(port)")
                }
                for (peer, theirs) in [("swarm", commands), ("swarm-at-once", atOnce)] {
                    let result = Result("publish-50/" + name, peer: peer, rules: tool, pairs: [(seconds, theirs)])
                    results.append(result)
                    say(result.line { String(format: "%8.2f s", $0) })
                }
            }
        }
        return results
    }

    private static func oneByOne(_ node: MeshNode) throws {
        for port in ports { try node.meshctl("publish", "\(port):80", "web") }
    }

    private static func together(_ node: MeshNode) throws {
        try node.meshctl(["publish"] + ports.map { "\($0):80" } + ["web"])
    }

    private static func byFile(_ node: MeshNode) throws {
        let file = "/tmp/mesh-bench/\(node.name).yaml"
        let lines = ports.map { "      - \($0):80/tcp\n" }
        try Data(("services:\n  web:\n    ports:\n" + lines.joined()).utf8).write(to: URL(filePath: file))
        try node.meshctl("apply", "-f", file)
    }
}
