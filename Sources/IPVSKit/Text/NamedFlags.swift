/// Flags with names. A flag that this library does not know, because the kernel is newer, is written as a hexadecimal
/// number, one for each bit.
protocol NamedFlags: OptionSet where RawValue: FixedWidthInteger {
    static var names: [(Self, String)] { get }
}

extension NamedFlags where Element == Self {
    /// The names of the flags, in the order of their bits.
    var flagNames: [String] {
        (0..<RawValue.bitWidth).compactMap { bit in
            let flag = RawValue(truncatingIfNeeded: 1) << RawValue(truncatingIfNeeded: bit)
            guard rawValue & flag != 0 else { return nil }
            return Self.names.first { $0.0.rawValue == flag }?.1
                ?? "0x"
                + String(UInt64(truncatingIfNeeded: flag) & UInt64(truncatingIfNeeded: RawValue.mask), radix: 16)
        }
    }

    /// Nil if the text is not the name or number of a flag.
    init?(flagName: String) {
        if let known = Self.names.first(where: { $0.1 == flagName }) {
            self = known.0
            return
        }
        guard flagName.hasPrefix("0x"), let bits = UInt64(hexadecimal: flagName.dropFirst(2).utf8),
            bits & ~UInt64(truncatingIfNeeded: RawValue.mask) == 0
        else { return nil }
        self.init(rawValue: RawValue(truncatingIfNeeded: bits))
        // The flags that are properties of their own, such as persistence, are not kept by the set.
        if isEmpty { return nil }
    }

    var text: String { flagNames.joined(separator: ",") }

    init?(text: String) {
        self.init()
        for name in text.split(separator: ",") {
            guard let flag = Self(flagName: String(name)) else { return nil }
            formUnion(flag)
        }
    }
}

extension FixedWidthInteger {
    /// All bits of the number, also of a signed one.
    fileprivate static var mask: UInt64 { bitWidth == 64 ? .max : (1 << UInt64(bitWidth)) - 1 }
}

extension VirtualService.Flags: NamedFlags, LosslessStringConvertible {
    static var names: [(Self, String)] {
        [(.onePacket, "onePacket"), (.hashFallback, "hashFallback"), (.hashPort, "hashPort")]
    }

    /// By name, with commas between: `onePacket,hashPort`; a flag without a name as a number, `0x20`. Empty for none.
    public var description: String { text }

    /// Reads ``description``. Nil for anything else.
    public init?(_ description: String) { self.init(text: description) }
}

extension Destination.Tunnel.Flags: NamedFlags, LosslessStringConvertible {
    static var names: [(Self, String)] { [(.checksum, "checksum"), (.remoteChecksum, "remoteChecksum")] }

    /// By name, with commas between: `checksum`; a flag without a name as a number, `0x4`. Empty for none.
    public var description: String { text }

    /// Reads ``description``. Nil for anything else.
    public init?(_ description: String) { self.init(text: description) }
}

extension ConnectionReuse: NamedFlags, LosslessStringConvertible {
    static var names: [(Self, String)] { [(.whenSafe, "whenSafe"), (.inFinWait, "inFinWait")] }

    /// By name, with commas between: `whenSafe,inFinWait`; a flag without a name as a number, `0x4`. Empty for none.
    public var description: String { text }

    /// Reads ``description``. Nil for anything else.
    public init?(_ description: String) { self.init(text: description) }
}
