import IPVSKit
import Netlink
import RuleKit

/// Warnings about replies of the sandbox on a host that chooses an uplink by the source of what it sends.
///
/// conntrack puts the published address in the place of the sandbox's only behind the routing decision. So a rule such as
/// `from 198.51.100.2 lookup 101` does not find these replies, and they leave by the uplink of everything else.
extension HostSettings {
    /// - Parameters:
    ///   - address: the only address at which the port is published. Nil for all of the node's own.
    ///   - ports: the ports of a reply as it comes from the sandbox.
    ///   - allowed: the networks from which clients may connect; empty for everywhere.
    ///   - tool: the tool whose commands are said to type.
    func warnings(
        choosingUplinksOf sandbox: PacketWay.Sandbox, from address: IPAddress?, ports: RouteQuestion.Ports? = nil,
        to allowed: [IPPrefix], on node: NodeFacts, _ tool: RuleTool?
    ) async -> [String] {
        let family = sandbox.address.family
        // While the node forwards nothing, or before a pass has made the link, the kernel does not answer.
        guard setting(.forwardingOfAll(family)) == "1", setting(.forwarding(sandbox.interface)) != nil else {
            return []
        }
        guard let policies = await self.policies([family]).first ?? nil else {
            return ["could not look at the routing rules of \(family == .ipv4 ? "IPv4" : "IPv6")"]
        }
        let clients = Self.clientsBeyond(allowed, family, on: node)
        let addresses = node.addresses.map(\.address).filter {
            $0.family == family && Self.isReached($0) && (address == nil || address == $0)
        }
        var warnings: [String] = []
        for own in addresses {
            guard let table = policies.first(where: { $0.mark == nil && $0.asks(for: own) })?.table else { continue }
            for client in clients {
                let wanted = RoutedPacket(source: own, destination: client, asItStands: true)
                var reply = RoutedPacket(
                    source: sandbox.address, destination: client, input: sandbox.interface, ports: ports,
                    asItStands: true)
                guard case .leaves(let right) = await routing(wanted), right != sandbox.interface else { continue }
                let found = await routing(reply)
                // Where a mark leads a reply to its uplink, somebody is taken to give it the mark.
                let marked = policies.compactMap(\.mark).map { mark in
                    var packet = reply
                    packet.mark = mark
                    return packet
                }
                guard found != .leaves(by: right), await !routings(marked).contains(.leaves(by: right)) else {
                    continue
                }
                let way: String
                switch found {
                case .leaves(let wrong): way = "leave by \(wrong), and not by \(right)"
                case .noRoute: way = "find no route, not even the one by \(right)"
                case .refused, .unknown: continue
                }
                reply.ports = nil
                warnings.append(
                    "replies from \(own) to hosts beyond this node's networks \(way), where a rule of this node's sends what "
                        + "comes from \(own): those of the sandbox are routed before they get that address "
                        + "(see `\(reply.question)` and `\(wanted.question)`)")
                let mark = policies.freeMark(for: table)
                warnings += Self.commands(markingRepliesOf: sandbox, from: own, mark, table, tool).map(
                    SurveyText.advice)
                break
            }
        }
        return warnings
    }

    /// The commands that mark the sandbox's replies to clients that came to an address, and route them by the mark.
    private static func commands(
        markingRepliesOf sandbox: PacketWay.Sandbox, from own: IPAddress, _ mark: UInt32, _ table: UInt32,
        _ tool: RuleTool?
    ) -> [String] {
        let isIPv4 = own.family == .ipv4
        let marking =
            switch tool {
            case .iptables:
                "\(isIPv4 ? "iptables" : "ip6tables") -t mangle -A PREROUTING -i \(sandbox.interface) "
                    + "-m conntrack --ctdir REPLY --ctorigdst \(own) -j MARK --set-mark \(mark)"
            case .nftables, nil:
                // Before the rules of the mesh, which give packets to published ports marks of their own.
                "nft 'table inet uplinks { chain uplink\(table) { type filter hook prerouting priority -151; "
                    + "iifname \"\(sandbox.interface)\" ct direction reply "
                    + "ct original \(isIPv4 ? "ip" : "ip6") daddr \(own) meta mark set \(mark); }; }'"
            }
        return [marking, "ip \(isIPv4 ? "" : "-6 ")rule add fwmark \(mark) lookup \(table)"]
    }
}

extension PolicyRule {
    /// Whether the rule asks for a source that an address is.
    fileprivate func asks(for address: IPAddress) -> Bool {
        guard let source, let first = IPAddress(bytes: source.address) else { return false }
        return IPPrefix(first, length: min(source.length, source.address.count * 8)).contains(address)
    }
}

extension [PolicyRule] {
    /// A mark for packets that a table routes: the table's number, unless it is that of a published port or other rules have
    /// it.
    fileprivate func freeMark(for table: UInt32) -> UInt32 {
        // Published ports have marks from 0x100 up.
        let most = MarkAllocator.first - 1
        let others = Set(filter { $0.table != table }.compactMap(\.mark))
        let first = (Swift.max(table, 1) - 1) % most + 1
        return (first...most).first { !others.contains($0) } ?? (1...most).first { !others.contains($0) } ?? first
    }
}
