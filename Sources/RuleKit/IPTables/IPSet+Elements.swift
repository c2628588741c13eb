import IPVSKit

/// Writes elements as the text that ipset takes, and reads them back.
extension IPSet {
    /// The key of an element of this set, as `add` and `del` take it.
    private func key(_ element: SetElement) -> String {
        var parts: [String] = []
        if let prefix = element.prefix, use.layout != .addressPortNetwork { parts.append("\(prefix)") }
        if let address = element.address { parts.append("\(address)") }
        if let mark = element.mark { parts.append("\(mark)") }
        if let ports = element.ports {
            parts.append((element.transport.map { "\($0):" } ?? "") + PortBinding.text(of: ports))
        }
        if let prefix = element.prefix, [.addressPortNetwork, .networkPair].contains(use.layout) {
            parts.append("\(prefix)")
        }
        return parts.joined(separator: ",")
    }

    /// The lines that add an element, replacing an element with the same key.
    func additions(_ element: SetElement) -> [String] {
        var suffix = " -exist"
        if case .mark(let mark) = element.value { suffix = " skbmark \(mark) -exist" }
        return pieces(element).map { "add \(name) \(key($0))\(suffix)" }
    }

    /// The lines that remove an element, if it is there.
    func removals(_ element: SetElement) -> [String] {
        pieces(element).map { "del \(name) \(key($0)) -exist" }
    }

    /// Since Linux 5.15 the kernel refuses to add more than 16,384 elements of a hash in one command; newer kernels
    /// accept it again.
    private static let largestRange = 1 << 14

    private func pieces(_ element: SetElement) -> [SetElement] {
        guard let ports = element.ports, ports.count > Self.largestRange, use.layout != .port else { return [element] }
        return stride(from: Int(ports.lowerBound), through: Int(ports.upperBound), by: Self.largestRange).map { first in
            let last = min(first + Self.largestRange - 1, Int(ports.upperBound))
            return element.with(ports: UInt16(first)...UInt16(last))
        }
    }

    /// The element for a key as ipset prints it; nil if no element of ours has such a key.
    func element(key: Substring) -> SetElement? {
        let parts = key.utf8.split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false).map(Substring.init)
        switch (use.layout, parts.count) {
        case (.port, 1):
            return Self.ports(parts[0]).map { SetElement(name, ports: $0) }
        case (.address, 1):
            return address(parts[0]).map { SetElement(name, address: $0) }
        case (.addressMark, 2):
            guard let address = address(parts[0]), let mark = Self.mark(parts[1]) else { return nil }
            return SetElement(name, mark: mark, address: address)
        case (.networkPair, 2):
            guard parts[0] == parts[1], let prefix = prefix(parts[0]) else { return nil }
            return SetElement(name, prefix: prefix)
        case (.network, 1):
            return prefix(parts[0]).map { SetElement(name, prefix: $0) }
        case (.networkPort, 2):
            guard let prefix = prefix(parts[0]), let (transport, ports) = Self.service(parts[1]) else { return nil }
            return SetElement(name, transport: transport, ports: ports, prefix: prefix)
        case (.addressPort, 2):
            guard let address = address(parts[0]), let (transport, ports) = Self.service(parts[1]) else { return nil }
            return SetElement(name, transport: transport, ports: ports, address: address)
        case (.addressPortNetwork, 3):
            guard let address = address(parts[0]), let (transport, ports) = Self.service(parts[1]),
                let prefix = prefix(parts[2])
            else { return nil }
            return SetElement(name, transport: transport, ports: ports, address: address, prefix: prefix)
        default: return nil
        }
    }

    private func address(_ text: Substring) -> IPAddress? {
        guard let address: IPAddress = .init(String(text)), address.family == family else { return nil }
        return address
    }

    private func prefix(_ text: Substring) -> IPPrefix? {
        guard let prefix: IPPrefix = .init(String(text)), prefix.family == family else { return nil }
        return prefix
    }

    private static func ports(_ text: Substring) -> ClosedRange<UInt16>? {
        let ends = text.utf8.split(separator: UInt8(ascii: "-"), omittingEmptySubsequences: false)
            .map { UInt16(Substring($0)) }
        guard let first = ends[0], first != 0, ends.count <= 2, let last = ends[ends.count - 1], first <= last else {
            return nil
        }
        return first...last
    }

    /// `tcp:1080`
    private static func service(_ text: Substring) -> (TransportProtocol, ClosedRange<UInt16>)? {
        let parts = text.utf8.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false).map(Substring.init)
        guard parts.count == 2, let ports = ports(parts[1]) else { return nil }
        switch parts[0] {
        case "tcp": return (.tcp, ports)
        case "udp": return (.udp, ports)
        case "sctp": return (.sctp, ports)
        default: return nil
        }
    }

    /// Reads a mark, `0x100`. A mark with a mask, `0x100/0xffff`, is not ours.
    static func mark(_ text: Substring) -> FirewallMark? {
        guard text.hasPrefix("0x") else { return nil }
        return UInt32(text.dropFirst(2), radix: 16).flatMap(FirewallMark.init)
    }
}

/// The definition of a set and its users, from the text of `ipset list -terse`.
struct IPSetHeader: Equatable {
    /// Type and options, as `ipset save` prints them.
    var definition = ""
    /// How many rules and sets use the set.
    var references = 0

    init(listed text: String) {
        for line in text.split(separator: "\n") {
            let value = line.drop { $0 != ":" }.dropFirst(2)
            if line.hasPrefix("Type: ") {
                definition = value + " " + definition
            } else if line.hasPrefix("Header: ") {
                definition += value
            } else if line.hasPrefix("References: ") {
                references = Int(value) ?? 0
            }
        }
    }
}

/// The contents of a set, from the text of `ipset save`.
struct IPSetContents: Equatable {
    /// Type and options.
    var definition = ""
    /// The elements that could be ours, whether wanted or not. The value is nil if the mark is not one of ours or has a
    /// mask.
    var elements: [SetElement] = []
    /// The keys of elements that we would never write.
    var strays: [String] = []

    var isEmpty: Bool { elements.isEmpty && strays.isEmpty }

    /// - Parameter saved: `create NAME TYPE…`, then `add NAME KEY [skbmark MARK]…`.
    init(_ set: IPSet, saved: String) {
        // The text is split by bytes, because that of a large set has millions.
        for line in saved.utf8.split(separator: UInt8(ascii: "\n")) {
            let words = line.split(separator: UInt8(ascii: " ")).map(Substring.init)
            guard words.count >= 3 else { continue }
            if words[0] == "create" {
                definition = words[2...].joined(separator: " ")
            } else if words[0] == "add" {
                guard var element = set.element(key: words[2]), set.use.hasMarks || words.count == 3 else {
                    strays.append(String(words[2]))
                    continue
                }
                if words.count == 5, words[3] == "skbmark" { element.value = IPSet.mark(words[4]).map { .mark($0) } }
                elements.append(element)
            }
        }
    }
}
