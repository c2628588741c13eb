import IPVSKit

/// The rules in the namespace of a task.
extension Skeleton {
    /// The chain MESH-SNAT makes conntrack choose another source port where two sandboxes send the task the same
    /// connection, or one sandbox sends it by two published ports: the nft variant has no chain of nat at a hook before
    /// a rule is put there.
    static func task(_ path: TaskReturn, _ family: AddressFamily) -> [Chain] {
        let subnets = path.subnets.filter { $0.family == family }
        guard !subnets.isEmpty || path.destination(family) != nil else { return [] }
        return [
            // Replies are found in no zone, where they differ by the client's port.
            path.hasZones
                ? Chain(
                    table: "raw", name: "MESH-ZONE", jumps: [.init(from: "PREROUTING", condition: "")],
                    rules: path.senders.map { "\(path.arrival(from: $0)) -j CT --zone-orig \($0.mark)" }) : nil,
            path.destination(family).map { destination in
                Chain(
                    table: "nat", name: "MESH-TASK", jumps: [.init(from: "PREROUTING", condition: "")],
                    rules: outside(subnets, family, by: path.interface)
                        + ["-i \(path.interface) -j DNAT --to-destination \(destination)"])
            },
            Chain(
                table: "nat", name: "MESH-SNAT",
                jumps: [.init(from: "INPUT", condition: ""), .init(from: "POSTROUTING", condition: "")], rules: []),
            // Marks of others are not touched.
            Chain(
                table: "mangle", name: "MESH-RETURN", jumps: [.init(from: "OUTPUT", condition: "")],
                rules: Set(path.senders.map(\.mark)).sorted().map {
                    "-m conntrack --ctdir REPLY -m connmark --mark 0x\(String($0, radix: 16)) "
                        + "-j CONNMARK --restore-mark --nfmask 0xffffffff --ctmask 0xffffffff"
                }),
            // New connections of other tasks, which no sandbox has sent, are dropped.
            Chain(
                table: "mangle", name: "MESH-SENDER",
                jumps: [.init(from: "PREROUTING", condition: "-m conntrack --ctstate NEW ")],
                rules: path.senders.flatMap { sender in
                    let arrival = path.arrival(from: sender)
                    let mark = "0x\(String(sender.mark, radix: 16))/0xffffffff"
                    return ["\(arrival) -j CONNMARK --set-xmark \(mark)", "\(arrival) -j RETURN"]
                }
                    + (path.senders.isEmpty
                        ? [] : BalancerChains.protocols.map { "-i \(path.interface) -p \($0) -j DROP" })),
        ].compactMap(\.self)
    }

    /// A packet with an IPv6 link-local source comes from a neighbour, and not by a sandbox.
    private static func outside(_ subnets: [IPPrefix], _ family: AddressFamily, by interface: String) -> [String] {
        (subnets + (family == .ipv6 ? ["fe80::/10"] : [])).map { "-s \($0) -i \(interface) -j RETURN" }
    }
}

extension TaskReturn {
    /// What matches the packets of a sandbox.
    fileprivate func arrival(from sender: Sender) -> String {
        "-i \(interface) -m mac --mac-source \(sender.hardwareAddress.lowercased())"
    }
}
