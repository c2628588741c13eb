import IPVSKit

/// A rule that translates a published port before IPVS sees the packet. This is the only case that needs a rule for
/// each port or range of ports. The rules are treated as elements of a set whose name no real set has.
enum TargetRule {
    /// The chain of these rules.
    static let chain = OwnRules.targetChain

    /// The name of the set whose elements stand for rules.
    static func set(_ family: AddressFamily) -> String {
        OwnRules.setPrefix + (family == .ipv4 ? "target4" : "target6")
    }

    /// The rule as iptables-save prints it. The rule matches the mark, too: without a mark, IPVS does not take the
    /// packet, and the translation would send it to a wrong port of the node.
    static func line(_ element: SetElement) -> String? {
        guard let mark = element.mark, let transport = element.transport, let ports = element.ports,
            case .port(let target) = element.value
        else { return nil }
        let destination = element.address.map { "-d \(IPPrefix($0)) " } ?? ""
        let range = ports.count > 1
        let dport = range ? "\(ports.lowerBound):\(ports.upperBound)" : "\(ports.lowerBound)"
        let last = min(Int(target) + ports.count - 1, Int(UInt16.max))
        // The number after the slash is the port that is translated to the first target port.
        let translated = range ? "\(target)-\(last)/\(ports.lowerBound)" : "\(target)"
        return "-A \(chain) \(destination)-p \(transport) -m mark --mark \(mark) -m \(transport) --dport \(dport) "
            + "-j DNAT --to-destination :\(translated)"
    }

    /// The element for which a rule stands; nil for a rule that is not ours.
    static func element(_ line: String, _ family: AddressFamily) -> SetElement? {
        let words = line.split(separator: " ")
        func value(of option: Substring) -> Substring? {
            words.firstIndex(of: option).flatMap { $0 + 1 < words.count ? words[$0 + 1] : nil }
        }
        guard let transport = value(of: "-p").flatMap({ TransportProtocol(String($0)) }),
            let mark = value(of: "--mark").flatMap(IPSet.mark),
            let ends = value(of: "--dport")?.split(separator: ":").map({ UInt16($0) }),
            let first = ends.first ?? nil, let last = ends.last ?? nil, first != 0, first <= last,
            let destination = value(of: "--to-destination"), destination.hasPrefix(":"),
            let target = UInt16(destination.dropFirst().prefix { $0.isNumber })
        else { return nil }
        let element = SetElement(
            set(family), mark: mark, transport: transport, ports: first...last,
            address: value(of: "-d").flatMap { IPPrefix(String($0)) }?.address, value: .port(target))
        // A rule with any other option is not ours.
        return self.line(element) == line ? element : nil
    }
}
