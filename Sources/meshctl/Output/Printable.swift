extension StringProtocol {
    /// The text as a terminal can be given it: what would move the cursor, change colours or the direction of writing, or
    /// begin a line of its own, is shown by its number, as `\u{1B}`.
    ///
    /// Names of processes, interfaces and rules are chosen by others, who may not be trusted, and are shown to root.
    var printable: String {
        guard unicodeScalars.contains(where: \.isUnprintable) else { return String(self) }
        var text = ""
        for scalar in unicodeScalars {
            if scalar.isUnprintable {
                text += "\\u{" + String(scalar.value, radix: 16, uppercase: true) + "}"
            } else {
                text.unicodeScalars.append(scalar)
            }
        }
        return text
    }
}

extension Unicode.Scalar {
    /// Controls (C0, DEL, C1), what formats without being seen (overrides of direction, zero-width characters), and
    /// separators of lines.
    fileprivate var isUnprintable: Bool {
        // Most text is ASCII, and the tables of Unicode are slow.
        if isASCII { return value < 0x20 || value == 0x7F }
        switch properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator: return true
        default: return false
        }
    }
}

extension String {
    /// JSON as it can be shown on a terminal: the same document. An encoder escapes what JSON forbids in a string, which
    /// is less than what a terminal acts upon; all else that is unprintable stands in strings, too, and can be escaped.
    var printableJSON: String {
        func isUnprintable(_ scalar: Unicode.Scalar) -> Bool { scalar.value >= 0x20 && scalar.isUnprintable }
        guard unicodeScalars.contains(where: isUnprintable) else { return self }
        var text = ""
        for scalar in unicodeScalars {
            guard isUnprintable(scalar) else {
                text.unicodeScalars.append(scalar)
                continue
            }
            for unit in UTF16.encode(scalar)! {
                let digits = String(unit, radix: 16)
                text += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            }
        }
        return text
    }
}
