/// Values that are written as a word, or as the kernel's number if they have no name. Each type reads the text that it
/// prints.
private func word<Value: Equatable>(_ text: String, of names: [(Value, String)]) -> Value? {
    names.first { $0.1 == text.lowercased() }?.0
}

extension AddressFamily: LosslessStringConvertible {
    /// Reads ``description``, in any case: `IPv4`, `IPv6`. Nil for anything else.
    public init?(_ description: String) {
        guard let family = word(description, of: Self.allCases.map { ($0, $0.description.lowercased()) }) else {
            return nil
        }
        self = family
    }
}

extension TransportProtocol: LosslessStringConvertible {}

extension Scheduler: LosslessStringConvertible {
    /// A scheduler by the kernel's name, which is not checked: a kernel may have schedulers that this library does not
    /// know.
    public init(_ description: String) { self.init(rawValue: description) }
}

extension Connection.State: LosslessStringConvertible {
    /// A state by the kernel's name, unchecked.
    public init(_ description: String) { self.init(rawValue: description) }
}

extension CPUList: LosslessStringConvertible {
    /// From the kernel's form, which is not checked here: the kernel refuses invalid lists.
    public init(_ description: String) { self.init(rawValue: description) }
}

extension SyncDaemon.Role: LosslessStringConvertible {
    /// Reads ``description``, in any case: `master`, `backup`. Nil for anything else.
    public init?(_ description: String) {
        guard let role = word(description, of: Self.allCases.map { ($0, $0.description) }) else { return nil }
        self = role
    }
}

extension Destination.ForwardingMethod: LosslessStringConvertible {
    private static let names: [(Self, String)] = [
        (.masquerade, "masq"), (.local, "local"), (.tunnel, "tunnel"), (.directRoute, "route"), (.bypass, "bypass"),
    ]

    /// Reads ``description``, in any case: `Masq`, `Local`, `Tunnel`, `Route`, `Bypass`, or a number from 0 to 7. Nil for
    /// anything else.
    public init?(_ description: String) {
        if let known = word(description, of: Self.names) {
            self = known
        } else {
            guard let number = UInt32(decimal: description.utf8) else { return nil }
            self.init(rawValue: number)
            // The initialiser keeps only three bits, as the kernel does; a larger number is refused.
            if rawValue != number { return nil }
        }
    }
}

extension Destination.Tunnel.Kind: LosslessStringConvertible {
    private static let names: [(Self, String)] = [(.ipip, "ipip"), (.gue, "gue"), (.gre, "gre")]

    /// Reads ``description``, in any case: `ipip`, `gue`, `gre` or a number. Nil for anything else.
    public init?(_ description: String) {
        guard let kind = word(description, of: Self.names) ?? UInt8(decimal: description.utf8).map(Self.init) else {
            return nil
        }
        self = kind
    }

    /// As ipvsadm calls it: `ipip`, `gue`, `gre`, or the number.
    public var description: String { Self.names.first { $0.0 == self }?.1 ?? String(rawValue) }
}

extension VirtualService.Persistence.Netmask: LosslessStringConvertible {
    /// Reads ``description``: the length of a prefix, `24`, or a mask in the dotted form, `255.255.255.0`. Nil for
    /// anything else.
    public init?(_ description: String) {
        let address: IPAddress? = .init(description)
        if let mask = address?.ipv4 {
            self = .mask(mask)
        } else {
            guard let length = UInt8(decimal: description.utf8) else { return nil }
            self = .prefix(length)
        }
    }
}

extension Info.Version: LosslessStringConvertible {
    /// Reads ``description``: `1.2.1`. Nil for anything else.
    public init?(_ description: String) {
        let parts = description.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 3, let major = UInt16(decimal: parts[0].utf8), let minor = UInt8(decimal: parts[1].utf8),
            let patch = UInt8(decimal: parts[2].utf8)
        else { return nil }
        self.init(rawValue: UInt32(major) << 16 | UInt32(minor) << 8 | UInt32(patch))
    }
}
