import IPVSKit
package import RuleKit

/// A published port as people write it: `1080:80`, `192.168.5.1:1080:80/udp`, `[fd00::1]:1000-1010:2000-2010`.
package struct PublishText: Hashable, Sendable {
    /// Where the mesh answers.
    package var listening: PortBinding
    /// The port in the task; of a range the first.
    package var target: UInt16

    /// Reads a text. A text without a protocol means TCP.
    package init(_ text: String) throws(InputError) {
        let (rest, transport) = try PortText.splitProtocol(text)
        let (address, ports) = try PortText.splitAddress(rest, portsAfter: 2)
        let parts = ports.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 2 else {
            throw InputError(
                "\(text.debugDescription) is not a port to publish: write the published port and the task's port with a "
                    + "colon between, as in 1080:80")
        }
        let (listening, targets) = (try PortText.ports(parts[0]), try PortText.ports(parts[1]))
        guard targets.count == listening.count || targets.count == 1 else {
            throw InputError(
                "\(parts[0]) has \(listening.count) ports and \(parts[1]) has \(targets.count): write as many, or only the "
                    + "first port of the task")
        }
        self.listening = PortBinding(listening, transport, at: address)
        target = targets.lowerBound
    }

    /// The text of a port, always with its protocol.
    static func text(of port: PublishedPort) -> String {
        text(port.listening, leadingTo: PortBinding.text(of: port.targets))
    }

    private static func text(_ listening: PortBinding, leadingTo targets: String) -> String {
        let binding = listening.description
        let cut = binding.lastIndex(of: "/")!
        return "\(binding[..<cut]):\(targets)\(binding[cut...])"
    }
}

extension PublishText: CustomStringConvertible {
    /// The text that is read again: of a range it has the first port of the task only.
    package var description: String { Self.text(listening, leadingTo: "\(target)") }
}

/// The parts of the texts of ports.
package enum PortText {
    /// `1080`, `1000-1010/udp`, `192.168.5.1:1080`.
    package static func binding(_ text: String) throws(InputError) -> PortBinding {
        if let published = try? PublishText(text) {
            let binding = published.listening.description
            let usual = "/tcp"
            throw InputError(
                "\(text.debugDescription) has the port of the tasks, too: name the published port alone, as in "
                    + (binding.hasSuffix(usual) ? String(binding.dropLast(usual.count)) : binding))
        }
        let (rest, transport) = try splitProtocol(text)
        let (address, ports) = try splitAddress(rest, portsAfter: 1)
        return PortBinding(try Self.ports(ports), transport, at: address)
    }

    static func splitProtocol(_ text: String) throws(InputError) -> (Substring, TransportProtocol) {
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2 else { return (text[...], .tcp) }
        // Compared by name, because `TransportProtocol(_:)` also takes numbers, which are not offered here.
        let name = parts[1].lowercased()
        guard let transport = TransportProtocol.balanced.first(where: { $0.description == name }) else {
            throw InputError(
                "\(parts[1].debugDescription) is not a protocol that can be published; it is tcp, udp or sctp")
        }
        return (parts[0], transport)
    }

    /// Splits the address off, where there is one. The ports are the last `count` parts between colons; an IPv6 address
    /// stands in brackets.
    static func splitAddress(
        _ text: Substring, portsAfter count: Int
    ) throws(InputError) -> (IPAddress?, Substring) {
        if text.hasPrefix("["), let end = text.firstIndex(of: "]") {
            let rest = text[text.index(after: end)...]
            let inside = String(text[text.index(after: text.startIndex)..<end])
            guard let address: IPAddress = .init(inside), address.family == .ipv6, rest.hasPrefix(":") else {
                throw InputError(
                    "\(text.debugDescription) does not begin with an IPv6 address; write it in brackets before the ports, "
                        + "as in [fd00::1]:1080\(count == 1 ? "" : ":80")")
            }
            return (address, rest.dropFirst())
        }
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == count + 1 else { return (nil, text) }
        let ports = parts[1...].joined(separator: ":")
        guard let address: IPAddress = .init(String(parts[0])), address.family == .ipv4 else {
            let fault = "\(parts[0].debugDescription) is not an IPv4 address"
            // As the name of an interface or of a host is.
            if parts[0].contains(where: \.isLetter) {
                throw InputError(
                    "\(fault): an address of this node belongs there, that of an interface in place of its name, as in "
                        + "192.168.5.1:\(ports)")
            }
            throw InputError(
                count == 1
                    ? "\(fault); name the published port alone, as in 1080, or with the address at which it is published, "
                        + "as in 192.168.5.1:1080"
                    : "\(fault); write the ports with a colon between, as in 1080:80, or an address of this node before "
                        + "them, as in 192.168.5.1:1080:80")
        }
        return (address, ports[...])
    }

    static func ports(_ text: Substring) throws(InputError) -> ClosedRange<UInt16> {
        let ends = text.split(separator: "-", maxSplits: 1, omittingEmptySubsequences: false)
        // A text that begins with a minus is a single number with a sign, which `port` refuses.
        guard ends.count == 2, !ends[0].isEmpty else {
            let port = try port(text)
            return port...port
        }
        let (first, last) = (try port(ends[0]), try port(ends[1]))
        guard first <= last else {
            throw InputError("\(text) runs backwards; write the lower port first, as in \(last)-\(first)")
        }
        return first...last
    }

    private static func port(_ text: Substring) throws(InputError) -> UInt16 {
        // UInt16 would also take "+80".
        guard text.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }), let port = UInt16(text),
            port != 0
        else {
            throw InputError("\(text.debugDescription) is not a port; ports are the numbers from 1 to 65535")
        }
        return port
    }
}

/// A time in seconds as people write it: `90`, `90s`, `10m`, `2h`, `1d`; `off` is 0.
package enum DurationText {
    /// The units, the largest first.
    private static let units: [(name: Character, seconds: UInt32)] = [("d", 86400), ("h", 3600), ("m", 60), ("s", 1)]

    package static func seconds(_ text: String) throws(InputError) -> UInt32 {
        if text == "off" { return 0 }
        let unit = units.first { $0.name == text.last }
        let digits = unit == nil ? text[...] : text.dropLast()
        // The kernel counts clock ticks in 31 bits, and its clock ticks 1000 times a second at most.
        guard digits.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }),
            let number = UInt32(digits),
            let seconds = Optional(number.multipliedReportingOverflow(by: unit?.seconds ?? 1)), !seconds.overflow,
            (1...2_000_000).contains(seconds.partialValue)
        else {
            throw InputError("write a time from 1s to 23d, as in 90s, 10m, 2h or 1d, or off")
        }
        return seconds.partialValue
    }

    /// The shortest text of a time.
    package static func text(of seconds: UInt32) -> String {
        guard seconds > 0 else { return "off" }
        let unit = units.first { seconds % $0.seconds == 0 }!
        return "\(seconds / unit.seconds)\(unit.name)"
    }
}
