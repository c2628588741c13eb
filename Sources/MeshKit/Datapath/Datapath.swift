public import IPVSKit
public import RuleKit

/// What one node's kernel should hold for the mesh, place by place.
public struct Datapath: Equatable, Sendable {
    /// The places that should exist.
    public var places: [PlaceID: Place] = [.node: .node]
    /// What each place should hold; a place without an entry should hold nothing.
    public var contents: [PlaceID: PlaceContent] = [:]
    /// The links that should exist, of all places.
    public var links: [Link] = []

    /// What a place should hold: nothing, unless a part has said otherwise.
    public subscript(place: PlaceID) -> PlaceContent {
        get { contents[place] ?? PlaceContent() }
        set { contents[place] = newValue }
    }
}

extension Datapath {
    /// Whether another datapath has the same in a place and the same links for it.
    func holds(_ other: Self, in place: PlaceID) -> Bool {
        isBuilt(as: other, in: place) && self[place] == other[place]
    }

    /// Whether a place exists alike in another datapath, and has the same links.
    func isBuilt(as other: Self, in place: PlaceID) -> Bool {
        places[place] == other.places[place]
            && links.filter { $0.purpose == place } == other.links.filter { $0.purpose == place }
    }
}

/// What one place should hold.
public struct PlaceContent: Equatable, Sendable {
    /// The IPVS services, which are found by mark, and their destinations.
    public var ipvs = Table()
    /// How long IPVS remembers an idle established TCP connection, in seconds. Nil leaves the timeout as it is.
    public var tcpTimeoutSeconds: UInt32?
    /// The rules as values, which a rule tool writes.
    public var rules = RuleSet()
    /// The path to the sandbox that iptables has to let pass although another tool carries the rules; nil if nothing in
    /// iptables can be in the way.
    public var passage: IngressPath?
    /// The kernel settings that services, rules and links depend on, with their values.
    public var sysctls: [Sysctl: String] = [:]
    /// Published ports that the node must not choose as source ports of its own connections
    /// (`ip_local_reserved_ports`).
    public var reservedPorts: [ClosedRange<UInt16>] = []
    /// The routing rules by which packets with a mark are routed by a table of their own.
    public var routingRules: Set<RoutingRule> = []
    /// Bridge ports that need hairpin mode, so that a task behind the port can reach itself.
    public var hairpinPorts: Set<String> = []

    /// Empty content.
    public init() {}
}
