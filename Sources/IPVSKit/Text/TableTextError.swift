/// Why a text is no table, or no part of one: which line, and what is wrong with it.
public struct TableTextError: Error, Hashable, Sendable {
    /// The number of the line, from 1 on.
    public var line: Int
    /// The line, without the spaces around it.
    public var text: String
    /// What is wrong with it.
    public var reason: String

    /// An error as a text could give it, for tests of what catches one.
    ///
    /// - Parameters:
    ///   - line: the number of the line, from 1 on.
    ///   - text: the line.
    ///   - reason: what is wrong with it.
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
