public import IPVSKit
public import RuleKit

/// What one node's kernel should hold for the mesh, place by place.
public struct Datapath: Equatable, Sendable {
    /// The places that should be there.
    public var places: [PlaceID: Place] = [.node: .node]
    /// What each of them should hold.
    public var contents: [PlaceID: PlaceContent] = [:]
    /// The interfaces that should be there, of all places.
    public var links: [Link] = []

    /// What a place should hold: nothing where nobody said anything.
    public subscript(place: PlaceID) -> PlaceContent {
        get { contents[place] ?? PlaceContent() }
        set { contents[place] = newValue }
    }
}

/// What one place should hold.
public struct PlaceContent: Equatable, Sendable {
    /// The services by mark and their destinations.
    public var ipvs = Table()
    /// How long IPVS remembers an established TCP connection that is idle, in seconds; nil: as it is.
    public var tcpTimeoutSeconds: UInt32?
    /// The rules.
    public var rules = RuleSet()
    /// Settings that the rest needs.
    public var sysctls: [Sysctl: String] = [:]
    /// Published ports that the node is not to take for connections of its own.
    public var reservedPorts: [ClosedRange<UInt16>] = []
    /// Ports of bridges that must turn packets back for a task to reach itself.
    public var hairpinPorts: Set<String> = []

    /// Nothing.
    public init() {}
}
