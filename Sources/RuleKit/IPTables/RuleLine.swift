/// A rule as iptables-save prints it, `-A CHAIN MATCH… -j TARGET…`, split into words.
///
/// iptables-save puts a word with a special character, such as a comment or a log prefix, in quotes, with a backslash
/// before quotes and backslashes in it. iptables-restore reads the same form.
package struct RuleLine: Sendable {
    /// The words, without their quotes.
    package let words: [String]

    /// Splits the line of a rule into words.
    package init(_ line: some StringProtocol) {
        let line = Substring(line)
        let isQuoted = line.utf8.contains(UInt8(ascii: "\""))
        words = isQuoted ? Self.split(line) : line.split(separator: " ").map(String.init)
    }

    /// The index of the word before the target, `-j` or `-g`; nil if the rule has no target.
    ///
    /// A comment can be the word `-j`, without quotes. It is told apart by the next word: after a comment comes an
    /// option, and no name of a chain begins with a dash.
    package var verb: Int? {
        words.indices.dropFirst(2).first { index in
            ["-j", "-g", "--jump", "--goto"].contains(words[index]) && index + 1 < words.count
                && !words[index + 1].hasPrefix("-")
        }
    }

    /// The target, or the chain to which the rule jumps.
    package var target: String? { verb.map { words[$0 + 1] } }

    /// The ipset sets that the rule reads or writes.
    var sets: [String] {
        zip(words, words.dropFirst()).filter { option, _ in option.hasPrefix("--") && option.hasSuffix("-set") }
            .map(\.1)
    }

    /// The lines of a document. A rule whose comment contains a line break counts as one line.
    package static func lines(of document: String) -> [Substring] {
        // The document is split by bytes, since it may have tens of thousands of lines.
        let pieces = document.utf8.split(separator: UInt8(ascii: "\n")).map(Substring.init)
        var lines: [Substring] = []
        var index = 0
        while index < pieces.count {
            var line = pieces[index]
            if line.hasPrefix("-A "), isOpen(line),
                let last = pieces.indices[(index + 1)...].first(where: {
                    !isOpen(document[line.startIndex..<pieces[$0].endIndex])
                })
            {
                line = document[line.startIndex..<pieces[last].endIndex]
                index = last
            }
            lines.append(line)
            index += 1
        }
        return lines
    }

    /// Whether a quote is still open at the end of the line.
    private static func isOpen(_ line: Substring) -> Bool {
        guard line.utf8.contains(UInt8(ascii: "\"")) else { return false }
        var quotes = Quotes()
        for byte in line.utf8 { _ = quotes.take(byte) }
        return quotes.isOpen
    }

    private static func split(_ line: Substring) -> [String] {
        var words: [String] = []
        var word: [UInt8]?
        var quotes = Quotes()
        for byte in line.utf8 {
            switch quotes.take(byte) {
            case .content: word = (word ?? []) + [byte]
            // A pair of quotes with nothing between them is an empty word.
            case .mark: word = word ?? []
            case .separator:
                if let word { words.append(String(decoding: word, as: UTF8.self)) }
                word = nil
            }
        }
        if let word { words.append(String(decoding: word, as: UTF8.self)) }
        return words
    }

    /// The state that decides the role of each byte of a line.
    private struct Quotes {
        enum Role { case content, mark, separator }

        private(set) var isOpen = false
        private var isEscaped = false

        mutating func take(_ byte: UInt8) -> Role {
            if isEscaped {
                isEscaped = false
                return .content
            }
            switch byte {
            case UInt8(ascii: "\\") where isOpen:
                isEscaped = true
                return .mark
            case UInt8(ascii: "\""):
                isOpen.toggle()
                return .mark
            case UInt8(ascii: " ") where !isOpen: return .separator
            default: return .content
            }
        }
    }
}
