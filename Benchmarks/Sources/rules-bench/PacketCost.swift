import BenchSupport
import Foundation
import IPVSKit
import RuleKit

/// What a packet to a published port costs, with one port and with thousands: client, balancer and task in namespaces of
/// their own, all on one processor, so that the time of a send is that of the whole way.
enum PacketCost {
    static func measure(_ tool: String, _ pairs: Int) async throws -> [Result] {
        let few = try await Way("few", number: 1) { try await $0.install(tool, ports: 1) }
        let many = try await Way("many", number: 2) { try await $0.install(tool, ports: 5000) }
        let rules = try await Way("rules", number: 3) { try await $0.installRules(tool, ports: 5000) }
        defer { for way in [few, many, rules] { way.end() } }

        var few5000: [(ours: Double, theirs: Double)] = []
        var perRule: [(ours: Double, theirs: Double)] = []
        for number in 0...pairs {
            // The one that is measured first finds the processor's caches cold.
            let ways = number.isMultiple(of: 2) ? [few, many, rules] : [rules, many, few]
            var seconds: [String: Double] = [:]
            for way in ways { seconds[way.name] = try await way.secondsPerPacket() }
            if number == 0 { continue }
            few5000.append((seconds["many"]!, seconds["few"]!))
            perRule.append((seconds["many"]!, seconds["rules"]!))
        }
        return [
            Result("packet/5000-ports", peer: "1-port", rules: tool, pairs: few5000),
            Result("packet/5000-ports", peer: "rule-per-port", rules: tool, pairs: perRule),
        ]
    }
}

/// A client, a balancer and a task, and packets from the first to the last.
final class Way {
    let name: String
    private let number: Int
    private let sink: Process
    private let ipvs: IPVS
    private static let target: UInt16 = 9

    private var client: String { "rb-\(name)-c" }
    private var balancer: String { "rb-\(name)-b" }
    private var task: String { "rb-\(name)-t" }
    private static let mark: FirewallMark = 0x100
    private var last: UInt16 = 1080

    init(_ name: String, number: Int, _ install: (Way) async throws -> Void) async throws {
        (self.name, self.number) = (name, number)
        for namespace in ["rb-\(name)-c", "rb-\(name)-b", "rb-\(name)-t"] { try Namespace.make(namespace) }
        try Namespace.link("rb-\(name)-b", "rb-\(name)-c", number: 10 + number)
        try Namespace.link("rb-\(name)-b", "rb-\(name)-t", number: 20 + number)
        try run("ip", "netns", "exec", "rb-\(name)-b", "sysctl", "-qw", "net.ipv4.ip_forward=1")
        ipvs = try IPVS(in: .named("rb-\(name)-b"))
        sink = try start("ip", "netns", "exec", "rb-\(name)-t", Self.program, "sink", "\(Self.target)")
        try await install(self)
    }

    static let program = URL(filePath: "/proc/self/exe").resolvingSymlinksInPath().path

    func end() {
        sink.terminate()
        for namespace in [client, balancer, task] { _ = try? run("ip", "netns", "del", namespace) }
    }

    /// Ports from 1080 on, published as the mesh does it.
    func install(_ tool: String, ports: Int) async throws {
        let backend = try Ports.backend(tool, in: .named(balancer))
        try await Ports.apply(Ports.rules(ports, .udp), to: backend)
        try await installServices(ports)
    }

    /// Ports from 1080 on, with a rule for each.
    func installRules(_ tool: String, ports: Int) async throws {
        let numbers = (0..<ports).map { 1080 + $0 }
        if tool == "nftables" {
            let rules = numbers.map { "udp dport \($0) meta mark set \(256 + $0 - 1080)" }
            try run(
                "ip", "netns", "exec", balancer, "nft", "-f", "-",
                input: "table inet per-port {\nchain marks {\n" + rules.joined(separator: "\n") + """
                    \n}\nchain p {
                    type filter hook prerouting priority mangle;
                    ct direction original fib daddr type local jump marks
                    }
                    }

                    """)
        } else {
            let rules = numbers.map {
                "-A PREROUTING -p udp -m udp --dport \($0) -j MARK --set-xmark \(256 + $0 - 1080)"
            }
            try run(
                "ip", "netns", "exec", balancer, "iptables-restore", "--noflush",
                input: "*mangle\n" + rules.joined(separator: "\n") + "\nCOMMIT\n")
        }
        try await installServices(ports)
    }

    private func installServices(_ ports: Int) async throws {
        last = UInt16(1080 + ports - 1)
        let address = IPAddress(ipv4: 10 << 24 | UInt32(20 + number) << 16 | 2)
        let changes = (0..<ports).flatMap { index -> [Change] in
            let id = VirtualService.ID.firewallMark(FirewallMark(rawValue: 256 + UInt32(index))!, .ipv4)
            return [
                .createService(VirtualService(id: id)),
                .createDestination(Destination(address, port: Self.target), of: id),
            ]
        }
        try await ipvs.perform(changes).get()
    }

    /// Sends to the last port, and looks that the packets were balanced.
    func secondsPerPacket() async throws -> Double {
        // Fewer packets are sent if each takes long.
        let count = name == "rules" ? 1000 : 4000
        let id = VirtualService.ID.firewallMark(FirewallMark(rawValue: 256 + UInt32(last) - 1080)!, .ipv4)
        let before = try await ipvs.service(id).statistics.incomingPackets
        let answer = try run(
            "ip", "netns", "exec", client, Self.program, "flood", "10.\(10 + number).0.1", "\(last)", "\(count)")
        // The kernel sums up its counters every two seconds.
        var balanced: UInt64 = 0
        for _ in 0..<100 {
            balanced = try await ipvs.service(id).statistics.incomingPackets - before
            if balanced >= UInt64(count) { break }
            try await Task.sleep(for: .milliseconds(50))
        }
        guard balanced >= UInt64(count * 99 / 100), let seconds = Double(answer.trimmingCharacters(in: .newlines))
        else { throw BenchError("\(name): of \(count) packets \(balanced) were balanced; the sender said \(answer)") }
        return seconds / Double(count)
    }
}
