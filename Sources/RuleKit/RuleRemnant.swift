/// An object of ours that had to stay in the kernel, because somebody else uses it. It is empty and has no effect.
public struct RuleRemnant: Hashable, Sendable, CustomStringConvertible {
    /// The object: `ipset set mesh-mark-tcp`.
    public var subject: String
    /// The rules and sets of others that use the object, as their tools print them; empty if they were not found.
    public var users: [String]

    /// An object with its users.
    public init(subject: String, users: [String]) {
        self.subject = subject
        self.users = users
    }

    /// The object and its users.
    public var description: String { "\(subject) is left behind, empty: it is used by \(Self.list(users))" }

    static func list(_ users: [String]) -> String {
        users.isEmpty ? "a part of the kernel that was not found" : users.joined(separator: ", and by ")
    }
}
