import IPVSKit

/// The rules in the namespace of a task.
extension NFTablesSkeleton {
    /// The chains at the hooks input and postrouting make conntrack choose another source port where two sandboxes send
    /// the task the same connection, or one sandbox sends it by two published ports.
    static func task(_ path: TaskReturn) -> [Chain] {
        let arriving = "iifname \"\(path.interface)\" "
        return zoning(path, arriving) + [
            Chain(
                name: "prerouting", hook: "type filter hook prerouting priority mangle",
                rules: path.senders.map { sender in
                    arriving + "ether saddr \(sender.hardwareAddress.lowercased()) ct state new "
                        + "ct mark set \(hex(sender.mark))"
                } + refusals(path, arriving)),
            // The chain is of type route, since the mark decides the route of the reply.
            Chain(
                name: "output", hook: "type route hook output priority mangle",
                rules: replies(Set(path.senders.map(\.mark)).sorted())),
            Chain(
                name: "nat-prerouting", hook: natPrerouting,
                rules: path.destinations.map { destination in
                    arriving + outside(path.subnets, destination.family)
                        + "dnat \(destination.family.keyword) to \(destination)"
                }),
            Chain(name: "nat-input", hook: "type nat hook input priority 100", rules: []),
            Chain(name: "nat-postrouting", hook: natPostrouting, rules: []),
        ]
    }

    /// Gives the packets of each sandbox a zone of their own before conntrack sees them. The zone holds for the original
    /// direction alone: the task's replies are found in no zone, where they differ by the client's port.
    private static func zoning(_ path: TaskReturn, _ arriving: String) -> [Chain] {
        guard path.hasZones else { return [] }
        return [
            Chain(
                name: "zoning", hook: "type filter hook prerouting priority raw",
                rules: path.senders.map { sender in
                    arriving + "ether saddr \(sender.hardwareAddress.lowercased()) ct original zone set \(sender.mark)"
                })
        ]
    }

    /// Drops new connections of other tasks, which no sandbox has sent.
    private static func refusals(_ path: TaskReturn, _ arriving: String) -> [String] {
        let senders = Set(path.senders.map { $0.hardwareAddress.lowercased() }).sorted()
        guard let first = senders.first else { return [] }
        let ours = senders.count == 1 ? first : "{ " + senders.joined(separator: ", ") + " }"
        return [arriving + "ether saddr != \(ours) ct state new meta l4proto { tcp, udp, sctp } counter drop"]
    }

    /// Marks of others are not touched.
    private static func replies(_ marks: [UInt32]) -> [String] {
        guard let first = marks.first else { return [] }
        let ours = marks.count == 1 ? hex(first) : "{ " + marks.map(hex).joined(separator: ", ") + " }"
        return ["ct direction reply ct mark \(ours) meta mark set ct mark"]
    }

    /// A packet with an IPv6 link-local source comes from a neighbour, and not by a sandbox.
    private static func outside(_ subnets: [IPPrefix], _ family: AddressFamily) -> String {
        let inside = subnets.filter { $0.family == family }.map(\.wording) + (family == .ipv6 ? ["fe80::/10"] : [])
        return inside.map { "\(family.keyword) saddr != \($0) " }.joined()
    }

    private static func hex(_ mark: UInt32) -> String {
        let digits = String(mark, radix: 16)
        return "0x" + String(repeating: "0", count: 8 - digits.count) + digits
    }
}
