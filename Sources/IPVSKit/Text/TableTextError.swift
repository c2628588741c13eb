/// The reason why a text is not a table, or not a part of one: the line, and the mistake in it.
public struct TableTextError: Error, Hashable, Sendable {
    /// The number of the line, from 1 on.
    public var line: Int
    /// The line without surrounding spaces.
    public var text: String
    /// The mistake in the line.
    public var reason: String

    /// Makes an error as a text could cause it, for tests of code that catches errors.
    ///
    /// - Parameters:
    ///   - line: the number of the line, from 1 on.
    ///   - text: the line.
    ///   - reason: the mistake in the line.
    public init(line: Int, text: String, reason: String) {
        self.line = line
        self.text = text
        self.reason = reason
    }
}

extension TableTextError: CustomStringConvertible {
    /// The number, the reason and the line in one: `line 3: -w takes a number …: -a -f 1 -r 10.0.0.1:80 -w x`.
    public var description: String { text.isEmpty ? "line \(line): \(reason)" : "line \(line): \(reason): \(text)" }
}
