#if canImport(Glibc)
    import Glibc
#endif

/// Parses JSON as libnftables writes it: only whole numbers, and no text before or after the document.
///
/// It is written by hand for speed. A ruleset has tens of thousands of values, each of which may be of any kind. A
/// decoder that tries one kind after the other takes some hundred milliseconds, and this parser takes a few.
struct JSONParser {
    private let bytes: UnsafeBufferPointer<UInt8>
    private var place = 0

    /// - Returns: nil if the text is no such document.
    static func parse(_ text: String) -> JSONValue? {
        var text = text
        return text.withUTF8 { bytes in
            var parser = JSONParser(bytes: bytes)
            guard let value = parser.value() else { return nil }
            parser.skipSpace()
            return parser.place == bytes.count ? value : nil
        }
    }

    private init(bytes: UnsafeBufferPointer<UInt8>) { self.bytes = bytes }

    private mutating func skipSpace() {
        while place < bytes.count {
            switch bytes[place] {
            case 0x20, 0x0A, 0x0D, 0x09: place += 1
            default: return
            }
        }
    }

    private mutating func take(_ byte: UInt8) -> Bool {
        skipSpace()
        guard place < bytes.count, bytes[place] == byte else { return false }
        place += 1
        return true
    }

    private mutating func take(_ word: StaticString) -> Bool {
        let count = word.utf8CodeUnitCount
        guard place + count <= bytes.count, memcmp(bytes.baseAddress! + place, word.utf8Start, count) == 0 else {
            return false
        }
        place += count
        return true
    }

    /// The text between two positions.
    private func text(from start: Int, to end: Int) -> String {
        String(decoding: UnsafeBufferPointer(rebasing: bytes[start..<end]), as: UTF8.self)
    }

    /// The distance to the next occurrence of a byte; `count` if there is none.
    private func distance(to byte: UInt8, atMost count: Int) -> Int {
        let start = bytes.baseAddress! + place
        guard let found = memchr(start, CInt(byte), count) else { return count }
        return UnsafeRawPointer(found) - UnsafeRawPointer(start)
    }

    private mutating func value() -> JSONValue? {
        skipSpace()
        guard place < bytes.count else { return nil }
        switch bytes[place] {
        case UInt8(ascii: "{"): return object()
        case UInt8(ascii: "["): return array()
        case UInt8(ascii: "\""): return string().map(JSONValue.string)
        default:
            if take("null") { return .null }
            if take("true") { return .bool(true) }
            if take("false") { return .bool(false) }
            return number()
        }
    }

    private mutating func object() -> JSONValue? {
        guard take(UInt8(ascii: "{")) else { return nil }
        var members: [String: JSONValue] = [:]
        if take(UInt8(ascii: "}")) { return .object(members) }
        repeat {
            skipSpace()
            guard let name = string(), take(UInt8(ascii: ":")), let value = value() else { return nil }
            members[name] = value
        } while take(UInt8(ascii: ","))
        return take(UInt8(ascii: "}")) ? .object(members) : nil
    }

    private mutating func array() -> JSONValue? {
        guard take(UInt8(ascii: "[")) else { return nil }
        var elements: [JSONValue] = []
        if take(UInt8(ascii: "]")) { return .array(elements) }
        repeat {
            guard let value = value() else { return nil }
            elements.append(value)
        } while take(UInt8(ascii: ","))
        return take(UInt8(ascii: "]")) ? .array(elements) : nil
    }

    private mutating func number() -> JSONValue? {
        let start = place
        while place < bytes.count, bytes[place] == UInt8(ascii: "-") || (0x30...0x39).contains(bytes[place]) {
            place += 1
        }
        let text = text(from: start, to: place)
        // No value that the mesh evaluates exceeds 64 bits, so any larger number will do.
        return text.isEmpty ? nil : .number(Int64(text) ?? .max)
    }

    private mutating func string() -> String? {
        guard place < bytes.count, bytes[place] == UInt8(ascii: "\"") else { return nil }
        place += 1
        var result: String?
        while place < bytes.count {
            let start = place
            let quote = distance(to: UInt8(ascii: "\""), atMost: bytes.count - place)
            place += distance(to: UInt8(ascii: "\\"), atMost: quote)
            let part = text(from: start, to: place)
            guard place < bytes.count else { return nil }
            place += 1
            let isEnd = place - start == quote + 1
            if isEnd { return result.map { $0 + part } ?? part }
            guard let scalar = escape() else { return nil }
            result = (result ?? "") + part
            result?.unicodeScalars.append(scalar)
        }
        return nil
    }

    private mutating func escape() -> Unicode.Scalar? {
        guard place < bytes.count else { return nil }
        let byte = bytes[place]
        place += 1
        switch byte {
        case UInt8(ascii: "n"): return "\n"
        case UInt8(ascii: "t"): return "\t"
        case UInt8(ascii: "r"): return "\r"
        case UInt8(ascii: "b"): return "\u{8}"
        case UInt8(ascii: "f"): return "\u{C}"
        case UInt8(ascii: "u"):
            guard place + 4 <= bytes.count,
                let number = UInt32(text(from: place, to: place + 4), radix: 16)
            else { return nil }
            place += 4
            // Half of a surrogate pair occurs in no text that is compared here.
            return Unicode.Scalar(number) ?? "\u{FFFD}"
        default: return Unicode.Scalar(byte)
        }
    }
}
