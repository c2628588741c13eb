/// Finds anchors and aliases in YAML without building anything of it.
enum YAMLAnchors {
    /// The place of the first `&` or `*` that may begin a value: one behind which a name begins, and before which none
    /// ends. Those in quotes are taken for one, too, and so are those in a comment behind a value; to tell them apart takes
    /// the whole of YAML.
    static func first(in yaml: String) -> MeshFile.Position? {
        let text = yaml.utf8.contains(UInt8(ascii: "\r")) ? yaml.replacing("\r\n", with: "\n") : yaml
        let lines = text.unicodeScalars.split(omittingEmptySubsequences: false, whereSeparator: isBreak)
        for (number, line) in lines.enumerated() {
            if line.first(where: { $0 != " " && $0 != "\t" }) == "#" { continue }
            var before: Unicode.Scalar = " "
            var mark: (column: Int, isFirst: Bool)?
            for (column, scalar) in line.enumerated() {
                if let mark, mark.isFirst, !isSpace(scalar) { return .init(line: number + 1, column: mark.column + 1) }
                mark = scalar == "&" || scalar == "*" ? (column, !isPartOfWord(before)) : nil
                before = scalar
            }
        }
        return nil
    }

    /// The line breaks of YAML 1.1.
    private static func isBreak(_ scalar: Unicode.Scalar) -> Bool {
        ["\n", "\r", "\u{85}", "\u{2028}", "\u{2029}"].contains(scalar)
    }

    private static func isSpace(_ scalar: Unicode.Scalar) -> Bool { scalar == " " || scalar == "\t" }

    private static func isPartOfWord(_ scalar: Unicode.Scalar) -> Bool {
        scalar.properties.isAlphabetic || scalar.properties.numericType != nil
            || "/._%&*=?".unicodeScalars.contains(scalar)
    }
}
