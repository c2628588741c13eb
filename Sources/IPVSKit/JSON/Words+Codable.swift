// Values that are one string in JSON, which is their ``description``.

extension VirtualService.ID: Codable {
    /// Reads the text, `TCP 10.0.0.1:80`, `FWM 258 IPv6`.
    public init(from decoder: any Decoder) throws { self = try decoder.text("virtual service") }
    /// Writes ``description``.
    public func encode(to encoder: any Encoder) throws { try encoder.text(self) }
}

extension Destination.ID: Codable {
    /// Reads the text, `10.0.0.1:80`.
    public init(from decoder: any Decoder) throws { self = try decoder.text("address with a port") }
    /// Writes ``description``.
    public func encode(to encoder: any Encoder) throws { try encoder.text(self) }
}

extension Connection.Endpoint: Codable {
    /// Reads the text, `10.0.0.1:80`.
    public init(from decoder: any Decoder) throws { self = try decoder.text("address with a port") }
    /// Writes ``description``.
    public func encode(to encoder: any Encoder) throws { try encoder.text(self) }
}

extension AddressFamily: Codable {
    /// Reads the text, `IPv4` or `IPv6`.
    public init(from decoder: any Decoder) throws { self = try decoder.text("address family") }
    /// Writes ``description``.
    public func encode(to encoder: any Encoder) throws { try encoder.text(self) }
}

extension TransportProtocol: Codable {
    /// Reads the text, a name or a number: `tcp`, `47`.
    public init(from decoder: any Decoder) throws { self = try decoder.text("transport protocol") }
    /// Writes ``description``.
    public func encode(to encoder: any Encoder) throws { try encoder.text(self) }
}

extension Destination.ForwardingMethod: Codable {
    /// Reads the text, a name or a number: `Masq`.
    public init(from decoder: any Decoder) throws { self = try decoder.text("forwarding method") }
    /// Writes ``description``.
    public func encode(to encoder: any Encoder) throws { try encoder.text(self) }
}

extension Destination.Tunnel.Kind: Codable {
    /// Reads the text, a name or a number: `gue`.
    public init(from decoder: any Decoder) throws { self = try decoder.text("kind of tunnel") }
    /// Writes ``description``.
    public func encode(to encoder: any Encoder) throws { try encoder.text(self) }
}

extension VirtualService.Persistence.Netmask: Codable {
    /// Reads the text, `24` or `255.0.255.0`.
    public init(from decoder: any Decoder) throws { self = try decoder.text("netmask") }
    /// Writes ``description``.
    public func encode(to encoder: any Encoder) throws { try encoder.text(self) }
}

extension SyncDaemon.Role: Codable {
    /// Reads the text, `master` or `backup`.
    public init(from decoder: any Decoder) throws { self = try decoder.text("role of a sync daemon") }
    /// Writes ``description``.
    public func encode(to encoder: any Encoder) throws { try encoder.text(self) }
}

extension Info.Version: Codable {
    /// Reads the text, `1.2.1`.
    public init(from decoder: any Decoder) throws { self = try decoder.text("version") }
    /// Writes ``description``.
    public func encode(to encoder: any Encoder) throws { try encoder.text(self) }
}

// Sets of flags, which are lists of names.

extension VirtualService.Flags: Codable {
    /// Reads a list of names, `["onePacket", "hashFallback"]`; a flag without one is a number, `"0x20"`.
    public init(from decoder: any Decoder) throws { self = try decoder.flags("a service") }
    /// Writes the list of names.
    public func encode(to encoder: any Encoder) throws { try encoder.flags(self) }
}

extension Destination.Tunnel.Flags: Codable {
    /// Reads a list of names, `["checksum"]`; a flag without one is a number, `"0x20"`.
    public init(from decoder: any Decoder) throws { self = try decoder.flags("a tunnel") }
    /// Writes the list of names.
    public func encode(to encoder: any Encoder) throws { try encoder.flags(self) }
}

extension ConnectionReuse: Codable {
    /// Reads a list of names, `["whenSafe"]`; a flag without one is a number, `"0x20"`.
    public init(from decoder: any Decoder) throws { self = try decoder.flags("connection reuse") }
    /// Writes the list of names.
    public func encode(to encoder: any Encoder) throws { try encoder.flags(self) }
}

// Names and numbers of the kernel, which are encoded as they are.

extension Connection.State: Codable {}
extension CPUList: Codable {}
extension DefenseMode: Codable {}
extension SyncVersion: Codable {}
extension SyncPersistMode: Codable {}
