import IPVSKit
import RuleKit

extension PortBinding {
    /// Parses ``description``: `1080/tcp`, `1000-1010/udp`, `192.168.5.1:1080/tcp`, `[fd00::1]:1080/tcp`. Nil for any
    /// other text, also for a protocol without ports.
    init?(text: Substring) {
        guard let slash = text.utf8.lastIndex(of: UInt8(ascii: "/")),
            let transport = TransportProtocol(String(text[text.utf8.index(after: slash)...])),
            TransportProtocol.balanced.contains(transport)
        else { return nil }
        var ports = text[..<slash]
        var address: IPAddress?
        if let colon = ports.utf8.lastIndex(of: UInt8(ascii: ":")) {
            var host = ports[..<colon]
            let isBracketed = host.utf8.first == UInt8(ascii: "[") && host.utf8.last == UInt8(ascii: "]")
            if isBracketed { host = host.dropFirst().dropLast() }
            address = .init(String(host))
            guard address?.family == (isBracketed ? .ipv6 : .ipv4) else { return nil }
            ports = ports[ports.utf8.index(after: colon)...]
        }
        guard let range = ports.portRange else { return nil }
        self.init(range, transport, at: address)
    }
}

extension Substring {
    /// Parses `1080` or `1000-1010`, as ``PortBinding/text(of:)`` writes them. Nil for any other text, for port 0, and
    /// for a range whose end is not above its beginning.
    var portRange: ClosedRange<UInt16>? {
        let ends = utf8.split(separator: UInt8(ascii: "-"), omittingEmptySubsequences: false)
        guard ends.count <= 2, let first = UInt16(decimal: ends[0]), first != 0 else { return nil }
        guard ends.count == 2 else { return first...first }
        guard let last = UInt16(decimal: ends[1]), first < last else { return nil }
        return first...last
    }
}
