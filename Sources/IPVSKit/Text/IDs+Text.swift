extension Destination.ID: LosslessStringConvertible {
    /// Reads ``description``: `10.0.0.1:80`, `[fd00::1]:80`. Nil for anything else: a name, no port, an IPv6 address
    /// without brackets.
    public init?(_ description: String) {
        guard let colon = description.utf8.lastIndex(of: UInt8(ascii: ":")) else { return nil }
        var host = description[..<colon]
        let family: AddressFamily
        if host.utf8.first == UInt8(ascii: "["), host.utf8.last == UInt8(ascii: "]"), host.utf8.count >= 2 {
            host = host.dropFirst().dropLast()
            family = .ipv6
        } else {
            family = .ipv4
        }
        let address: IPAddress? = .init(String(host))
        guard let address, address.family == family,
            let port = UInt16(decimal: description.utf8[description.utf8.index(after: colon)...])
        else { return nil }
        self.init(address, port: port)
    }
}

extension Connection.Endpoint: LosslessStringConvertible {
    /// Reads ``description``: `10.0.0.1:80`, `[fd00::1]:80`. Nil for anything else.
    public init?(_ description: String) {
        guard let endpoint = Destination.ID(description) else { return nil }
        self.init(endpoint.address, port: endpoint.port)
    }
}

extension VirtualService.ID: LosslessStringConvertible {
    /// Reads ``description``: `TCP 10.0.0.1:80`, `UDP [fd00::1]:53`, `FWM 258`, `FWM 258 IPv6`; in any case. Nil for
    /// anything else.
    public init?(_ description: String) {
        let words = description.split(separator: " ", omittingEmptySubsequences: false)
        switch words.count {
        case 2...3 where words[0].lowercased() == "fwm":
            guard let mark = UInt32(decimal: words[1].utf8).flatMap(FirewallMark.init(rawValue:)) else { return nil }
            guard words.count == 3 else {
                self = .firewallMark(mark, .ipv4)
                return
            }
            guard let family = AddressFamily(String(words[2])) else { return nil }
            self = .firewallMark(mark, family)
        case 2:
            guard let transport = TransportProtocol(String(words[0])), let endpoint = Destination.ID(String(words[1]))
            else { return nil }
            self = .address(endpoint.address, port: endpoint.port, protocol: transport)
        default: return nil
        }
    }
}

extension FirewallMark: LosslessStringConvertible {
    /// Reads ``description``, `0x102`, and decimal digits, as ipvsadm takes them. Nil for 0 and anything else.
    public init?(_ description: String) {
        let digits = description.lowercased().utf8
        let number = digits.starts(with: "0x".utf8) ? UInt32(hexadecimal: digits.dropFirst(2)) : UInt32(decimal: digits)
        guard let number else { return nil }
        self.init(rawValue: number)
    }
}
