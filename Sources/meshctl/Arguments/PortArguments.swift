import ArgumentParser
import IPVSKit
import RuleKit

/// `1080:80`, `192.168.5.1:1080:80/udp`, `[fd00::1]:1000-1010:2000-2010`: the port to publish and the port in the task.
struct PublishArgument: Sendable {
    var listening: PortBinding
    var target: UInt16

    @Sendable static func parse(_ text: String) throws -> Self {
        let (rest, transport) = try PortText.splitProtocol(text)
        let (address, ports) = try PortText.splitAddress(rest, portsAfter: 2)
        let parts = ports.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 2 else {
            throw ValidationError("write the published port and the task's port with a colon between, as in 1080:80.")
        }
        let (listening, targets) = (try PortText.ports(parts[0]), try PortText.ports(parts[1]))
        guard targets.count == listening.count || targets.count == 1 else {
            throw ValidationError(
                "\(parts[0]) has \(listening.count) ports and \(parts[1]) has \(targets.count): write as many, or only the "
                    + "first port of the task.")
        }
        return Self(listening: PortBinding(listening, transport, at: address), target: targets.lowerBound)
    }
}

/// `1080`, `1000-1010/udp`, `192.168.5.1:1080`.
enum PortArgument {
    @Sendable static func parse(_ text: String) throws -> PortBinding {
        let (rest, transport) = try PortText.splitProtocol(text)
        let (address, ports) = try PortText.splitAddress(rest, portsAfter: 1)
        return PortBinding(try PortText.ports(ports), transport, at: address)
    }
}

private enum PortText {
    static func splitProtocol(_ text: String) throws -> (Substring, TransportProtocol) {
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2 else { return (text[...], .tcp) }
        // Compared by name, because `TransportProtocol(_:)` also takes numbers, which are not offered here.
        let name = parts[1].lowercased()
        guard let transport = TransportProtocol.balanced.first(where: { $0.description == name }) else {
            throw ValidationError(
                "\(parts[1].debugDescription) is not a protocol that can be published; it is tcp, udp or sctp.")
        }
        return (parts[0], transport)
    }

    /// Splits the address off, where there is one. The ports are the last `count` parts between colons; an IPv6 address
    /// stands in brackets.
    static func splitAddress(_ text: Substring, portsAfter count: Int) throws -> (IPAddress?, Substring) {
        if text.hasPrefix("["), let end = text.firstIndex(of: "]") {
            let rest = text[text.index(after: end)...]
            let inside = String(text[text.index(after: text.startIndex)..<end])
            guard let address: IPAddress = .init(inside), address.family == .ipv6, rest.hasPrefix(":") else {
                throw ValidationError("write an IPv6 address in brackets before the port, as in [fd00::1]:1080:80.")
            }
            return (address, rest.dropFirst())
        }
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == count + 1 else { return (nil, text) }
        guard let address: IPAddress = .init(String(parts[0])), address.family == .ipv4 else {
            throw ValidationError(
                "\(parts[0].debugDescription) is not an IPv4 address; write the ports with a colon between, as in 1080:80, "
                    + "or an address of this node before them, as in 192.168.5.1:1080:80.")
        }
        return (address, parts[1...].joined(separator: ":")[...])
    }

    static func ports(_ text: Substring) throws -> ClosedRange<UInt16> {
        let ends = text.split(separator: "-", maxSplits: 1, omittingEmptySubsequences: false)
        // A text that begins with a minus is a single number with a sign, which `port` refuses.
        guard ends.count == 2, !ends[0].isEmpty else {
            let port = try port(text)
            return port...port
        }
        let (first, last) = (try port(ends[0]), try port(ends[1]))
        guard first <= last else {
            throw ValidationError("\(text) runs backwards; write the lower port first, as in \(last)-\(first).")
        }
        return first...last
    }

    private static func port(_ text: Substring) throws -> UInt16 {
        // UInt16 would also take "+80".
        guard text.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }), let port = UInt16(text),
            port != 0
        else {
            throw ValidationError("\(text.debugDescription) is not a port; ports are the numbers from 1 to 65535.")
        }
        return port
    }
}
