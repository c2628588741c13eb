/// Whose rules the rules of a namespace are: the rules themselves say so, so that a second program with a state of its own
/// does not take them for its own.
public struct RuleOwner: Hashable, Sendable {
    /// The id of the ledger that the rules belong to: hexadecimal digits.
    public var id: String
    /// The folder of that ledger; of a long name the end.
    public var folder: String

    /// An owner by its parts.
    ///
    /// - Parameter folder: shortened to its last 80 bytes, which is as much as a rule has room for.
    public init(id: String, folder: String) {
        self.id = id
        let bytes = folder.utf8.suffix(Self.mostBytes)
        self.folder = bytes.count == folder.utf8.count ? folder : String(decoding: bytes, as: UTF8.self)
    }

    private static let mostBytes = 80
    private static let prefix = "meshctl:"

    /// As a rule carries it: `meshctl:0123456789abcdef:/var/lib/meshctl`, in characters that both tools take without quotes.
    /// Any other byte is a percent sign and two hexadecimal digits.
    var text: String {
        let encoded = folder.utf8.map { byte in
            Self.isPlain(byte) ? String(UnicodeScalar(byte)) : "%" + String(UInt16(byte) + 0x100, radix: 16).dropFirst()
        }
        return Self.prefix + id + ":" + encoded.joined()
    }

    /// Nil for any other text.
    init?(text: some StringProtocol) {
        guard text.hasPrefix(Self.prefix) else { return nil }
        let parts = text.dropFirst(Self.prefix.count).split(separator: ":", maxSplits: 1)
        guard parts.count == 2 else { return nil }
        id = String(parts[0])
        var bytes: [UInt8] = []
        var rest = parts[1].utf8[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte)
                continue
            }
            guard rest.count >= 2, let value = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16) else {
                return nil
            }
            bytes.append(value)
            rest = rest.dropFirst(2)
        }
        folder = String(decoding: bytes, as: UTF8.self)
    }

    private static func isPlain(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "/"), UInt8(ascii: "."), UInt8(ascii: "_"),
            UInt8(ascii: "-"):
            true
        default: false
        }
    }
}
