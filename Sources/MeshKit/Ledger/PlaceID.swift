/// The name of a place: a network namespace with a role in the mesh.
public struct PlaceID: RawRepresentable, Hashable, Sendable, Codable, CodingKeyRepresentable {
    /// The name.
    public let rawValue: String

    /// A place by its name.
    public init(rawValue: String) { self.rawValue = rawValue }

    /// The node's own network namespace.
    public static let node = Self(rawValue: "node")
    /// The network namespace in which connections to 127.0.0.1 are turned around.
    public static let loopback = Self(rawValue: "loopback")
}

extension PlaceID {
    /// What a node lacks that has refused the place, as a sentence.
    package var loss: String {
        self == .loopback ? "127.0.0.1 is not answered on this host" : "this host does without \(self)"
    }
}

extension PlaceID: Comparable, CustomStringConvertible {
    /// By name.
    public static func < (lhs: Self, rhs: Self) -> Bool { lhs.rawValue < rhs.rawValue }

    /// The name.
    public var description: String { rawValue }
}
