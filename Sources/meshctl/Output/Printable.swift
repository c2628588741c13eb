extension StringProtocol {
    /// The text with every character escaped that a terminal would act upon: characters that move the cursor, change
    /// colours or the direction of writing, or begin a new line. An escape looks like `\u{1B}`.
    ///
    /// The names of processes, interfaces and rules are chosen by users who may not be trusted, and are shown to root.
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
    /// Whether the character is a control (C0, DEL, C1), an invisible format character (an override of the direction, a
    /// zero-width character) or a separator of lines or paragraphs.
    fileprivate var isUnprintable: Bool {
        // Most text is ASCII, and a look-up in the tables of Unicode is slow.
        if isASCII { return value < 0x20 || value == 0x7F }
        switch properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator: return true
        default: return false
        }
    }
}

extension String {
    /// The same JSON document with every unprintable character escaped. The encoder escapes only the characters that JSON
    /// forbids in a string; a terminal acts upon others, too. They occur in strings only, where JSON allows an escape.
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
