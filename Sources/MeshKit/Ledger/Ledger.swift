public import IPVSKit

/// Everything that one node has put or changed in its kernel and must be able to take back, by place.
///
/// Everything that is not in the ledger belongs to somebody else: nothing is taken for ours because of its looks.
public struct Ledger: Equatable, Sendable {
    /// The layout of the document that this version reads and writes.
    public static let currentSchema = 1

    /// The number of writes until now, which a compare-and-swap compares. The store counts it, not the edit.
    public var generation: UInt64 = 0
    /// The id that the rules in the kernel carry, so that they tell which ledger they belong to: 16 hexadecimal digits.
    public var id: String
    /// The name of this node, which tasks of the ``MeshSpec`` refer to.
    public var node: String
    /// The network namespace and the boot that the ledger describes. Nil if it was converted from an older document,
    /// which does not say.
    public var home: NamespaceIdentity?
    /// The holdings of each place. A place with empty holdings has no entry.
    public var places: [PlaceID: Holdings] = [:]
    /// The tasks that the node's agent has found not to be healthy, by service.
    public var unhealthy: [String: Set<IPAddress>] = [:]
    /// What the node remembers of the services whose tasks start slowly, by service.
    public var starts: [String: StartRecord] = [:]

    /// A ledger of a node that holds nothing.
    ///
    /// - Parameter id: the ledger's id, by default a random one.
    public init(node: String, id: String = Self.randomID(), home: NamespaceIdentity? = nil) {
        self.node = node
        self.id = id
        self.home = home
    }

    /// The holdings of a place, empty if it has none. Writing empty holdings removes the entry.
    public subscript(place: PlaceID) -> Holdings {
        get { places[place] ?? Holdings() }
        set { places[place] = newValue.isEmpty ? nil : newValue }
    }

    /// 64 random bits as 16 hexadecimal digits.
    public static func randomID() -> String {
        let digits = String(UInt64.random(in: .min ... .max), radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }
}
