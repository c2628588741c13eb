/// What of ours had to stay in the kernel, because somebody else uses it: it is empty, and does nothing any more.
public struct RuleRemnant: Hashable, Sendable, CustomStringConvertible {
    /// What it is: `ipset set mesh-mark-tcp`, `iptables filter chain MESH-INPUT`.
    public var subject: String
    /// The rules and sets of others that use it, as their tools write them; none where they were not found.
    public var users: [String]

    /// What is left and why, and what to do.
    public var description: String {
        "\(subject) is left behind, empty: it is used by \(Self.list(users)); remove that, and `meshctl reconcile` "
            + "takes it away"
    }

    static func list(_ users: [String]) -> String {
        users.isEmpty ? "a part of the kernel that was not found" : users.joined(separator: ", and by ")
    }
}
