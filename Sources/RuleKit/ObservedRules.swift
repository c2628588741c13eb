/// What a backend found in the kernel of what is ours.
public struct ObservedRules: Hashable, Sendable {
    /// The rules that use what varies: chains, jumps, sets. Their number does not depend on it.
    public enum Skeleton: Hashable, Sendable {
        /// Nothing of ours is there.
        case absent
        /// All is there and as it should be.
        case intact
        /// Something is missing, changed, or there twice.
        case damaged([RuleFault])
    }

    /// The state of the constant part.
    public var skeleton: Skeleton
    /// What varies. Ports that follow each other stand as one range where the set is one of ``RenderedRules/expanded``.
    public var elements: Set<SetElement>

    /// Nothing of ours, unless said otherwise.
    public init(skeleton: Skeleton = .absent, elements: Set<SetElement> = []) {
        self.skeleton = skeleton
        self.elements = elements
    }
}

/// One thing about the skeleton that is not as it should be.
public struct RuleFault: Hashable, Sendable, CustomStringConvertible {
    /// Where and what: `iptables mangle MESH-MARK: rule missing: …`.
    public let description: String

    /// A fault in words.
    public init(_ description: String) { self.description = description }
}
