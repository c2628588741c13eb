/// A note that a namespace has the constant rules of a role, unchanged.
struct IntactNote: Equatable, Sendable {
    /// What the note is about.
    static let subject = "nftables"

    /// Whose the table says it is.
    var owner: RuleOwner?
    /// The rules as they are installed.
    var rules: String

    /// The note as a text: the owner in a line, and the rules.
    var text: String { "\(owner?.text ?? "")\n\(rules)" }

    init(owner: RuleOwner?, rules: String) {
        self.owner = owner
        self.rules = rules
    }

    init(text: String) {
        let line = text.prefix { $0 != "\n" }
        owner = RuleOwner(text: line)
        rules = String(text[line.endIndex...].dropFirst())
    }
}
