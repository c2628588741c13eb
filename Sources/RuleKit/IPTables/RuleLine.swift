/// A rule as iptables-save prints it: `-A CHAIN MATCH… -j TARGET…`, in words.
///
/// What has a character that a shell would mind, as a comment or a prefix for the log may, iptables-save puts between
/// quotes, with a backslash before what it must not be taken for; and iptables-restore reads it so.
package struct RuleLine: Sendable {
    /// The words, without their quotes.
    package let words: [String]

    /// The words of a line of a rule.
    package init(_ line: some StringProtocol) {
        let line = Substring(line)
        let isQuoted = line.utf8.contains(UInt8(ascii: "\""))
        words = isQuoted ? Self.split(line) : line.split(separator: " ").map(String.init)
    }

    /// Where the word stands that leads to the target, `-j` or `-g`; nil where a rule has none.
    ///
    /// A comment may be the word itself, which needs no quotes. Behind a match's last word always comes an option, and
    /// no chain's name begins as one does.
    package var verb: Int? {
        words.indices.dropFirst(2).first { index in
            ["-j", "-g", "--jump", "--goto"].contains(words[index]) && index + 1 < words.count
                && !words[index + 1].hasPrefix("-")
        }
    }

    /// The target, or the chain that it leads to.
    package var target: String? { verb.map { words[$0 + 1] } }

    /// The sets of ipset that it looks into or writes.
    var sets: [String] {
        zip(words, words.dropFirst()).filter { option, _ in option.hasPrefix("--") && option.hasSuffix("-set") }
            .map(\.1)
    }

    /// The lines of a document. One whose comment holds the end of a line is one.
    package static func lines(of document: String) -> [Substring] {
        // By bytes: there may be tens of thousands.
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

    /// Whether a quote is not closed.
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
            // Between quotes there may be nothing.
            case .mark: word = word ?? []
            case .separator:
                if let word { words.append(String(decoding: word, as: UTF8.self)) }
                word = nil
            }
        }
        if let word { words.append(String(decoding: word, as: UTF8.self)) }
        return words
    }

    /// What each byte of a line is.
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
