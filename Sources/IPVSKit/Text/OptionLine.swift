/// A line as ipvsadm writes and reads it, split into its options. It takes all forms that popt(3) takes: long options
/// with or without `=`; short options alone, combined, or with their argument attached.
struct OptionLine {
    struct Given {
        /// The option as it stands in the line.
        var word: String
        /// Nil if the option has no argument.
        var argument: String?
        var meaning: Meaning?
    }

    private(set) var given: [Subject: Given] = [:]

    init(_ line: some Sequence<UInt8>) throws(LineProblem) {
        var tokens = line.split { $0 == 0x20 || (9...13).contains($0) }.map { String(decoding: $0, as: UTF8.self) }[...]
        // The line may begin with `ipvsadm`, like a command line.
        if tokens.first == "ipvsadm" { tokens.removeFirst() }
        while let token = tokens.popFirst() {
            if token.hasPrefix("--") {
                let parts = token.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
                try take(String(parts[0]), attached: parts.count > 1 ? String(parts[1]) : nil, from: &tokens)
            } else if token.hasPrefix("-"), token.utf8.count > 1 {
                var letters = token.dropFirst()
                while let letter = letters.popFirst() {
                    let word = "-\(letter)"
                    guard let argument = Self.option(word)?.argument, argument != .none, !letters.isEmpty else {
                        try take(word, attached: nil, from: &tokens)
                        continue
                    }
                    if letters.first == "=" { letters.removeFirst() }
                    try take(word, attached: String(letters), from: &tokens)
                    letters = ""
                }
            } else {
                throw LineProblem("no option takes \(token.debugDescription)")
            }
        }
    }

    private mutating func take(
        _ word: String, attached: String?, from tokens: inout ArraySlice<String>
    ) throws(LineProblem) {
        guard let option = Self.option(word) else {
            throw LineProblem(
                Self.otherCommands.contains(word)
                    ? "\(word) does not describe a table; use -A and -a" : "there is no option \(word)")
        }
        var argument = attached
        switch option.argument {
        case .none: if attached != nil { throw LineProblem("\(word) takes no argument") }
        case .optional: if argument == nil, tokens.first?.hasPrefix("-") == false { argument = tokens.removeFirst() }
        case .required:
            if argument == nil { argument = tokens.popFirst() }
            if argument == nil { throw LineProblem("\(word) takes an argument") }
        }
        if let earlier = given[option.subject] {
            throw LineProblem(
                earlier.word == word ? "\(word) appears twice" : "\(earlier.word) and \(word) exclude each other")
        }
        given[option.subject] = Given(word: word, argument: argument, meaning: option.meaning)
    }

    /// Refuses options that have no meaning for the object of the line.
    func check(takesOnly subjects: Set<Subject>, _ what: String) throws(LineProblem) {
        // The alphabetically first option is named, so that a line always gives the same error.
        let strange = given.filter { !subjects.contains($0.key) }.map(\.value.word).min()
        if let strange { throw LineProblem("\(strange) is not an option of \(what)") }
    }
}

extension OptionLine {
    func has(_ subject: Subject) -> Bool { given[subject] != nil }

    /// A decimal number; `fallback` if the line does not have the option.
    func number<Number: FixedWidthInteger>(
        _ subject: Subject, default fallback: Number, range: ClosedRange<Number> = Number.min...Number.max
    ) throws(LineProblem) -> Number {
        guard let given = given[subject], let argument = given.argument else { return fallback }
        guard let number = Number(decimal: argument.utf8), range.contains(number) else {
            throw LineProblem(
                "\(given.word) takes a number from \(range.lowerBound) to \(range.upperBound), "
                    + "not \(argument.debugDescription)")
        }
        return number
    }

    /// A name; nil if the line does not have the option.
    func name(_ subject: Subject) throws(LineProblem) -> String? {
        guard let given = given[subject], let argument = given.argument else { return nil }
        guard let name = Self.name(written: argument) else {
            throw LineProblem("\(given.word) takes a name, not \(argument.debugDescription)")
        }
        return name
    }
}

// MARK: Names

extension OptionLine {
    /// Writes a name as one word of a line. Names that a kernel has stay as they are. But a value can hold any name,
    /// which must not be read back as another one: characters that would end the word are written as `\x20`.
    static func written(name: String) -> String {
        guard name.utf8.contains(where: isSpecial) else { return name }
        return name.unicodeScalars.map { scalar in
            guard let byte = UInt8(exactly: scalar.value), isSpecial(byte) else { return String(scalar) }
            return (byte < 16 ? "\\x0" : "\\x") + String(byte, radix: 16)
        }.joined()
    }

    /// Reads a name that ``written(name:)`` wrote; nil if it has another use of the backslash.
    static func name(written: String) -> String? {
        guard written.utf8.contains(UInt8(ascii: "\\")) else { return written }
        var bytes: [UInt8] = []
        var rest = Array(written.utf8)[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "\\") else {
                bytes.append(byte)
                continue
            }
            guard rest.popFirst() == UInt8(ascii: "x"), rest.count >= 2, let code = UInt8(hexadecimal: rest.prefix(2))
            else { return nil }
            bytes.append(code)
            rest.removeFirst(2)
        }
        return String(validating: bytes, as: UTF8.self)
    }

    private static func isSpecial(_ byte: UInt8) -> Bool {
        byte <= 0x20 || byte == 0x7F || byte == UInt8(ascii: "\\")
    }
}
