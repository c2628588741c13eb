/// How a service chooses a destination for a new connection. Schedulers are kernel modules (`ip_vs_NAME`), loaded by
/// name; a kernel may have others than the constants.
public struct Scheduler: RawRepresentable, Hashable, Sendable, Codable, CustomStringConvertible,
    ExpressibleByStringLiteral
{
    /// The kernel's name, 15 bytes at most.
    public let rawValue: String

    /// A scheduler by the kernel's name.
    public init(rawValue: String) { self.rawValue = rawValue }

    /// A scheduler by the kernel's name.
    public init(stringLiteral value: String) { rawValue = value }

    /// The kernel's name.
    public var description: String { rawValue }

    /// `rr`: destinations in turn. Take it for destinations of equal size and short requests.
    public static let roundRobin: Self = "rr"
    /// `wrr`: destinations in turn, each as often as its weight says. Take it for destinations of different size.
    public static let weightedRoundRobin: Self = "wrr"
    /// `lc`: the destination with the fewest connections. Take it for connections that are long or differ in length.
    public static let leastConnection: Self = "lc"
    /// `wlc`: the destination with the fewest connections in relation to its weight. Take it as `lc`, for destinations
    /// of different size.
    public static let weightedLeastConnection: Self = "wlc"
    /// `lblc`: by the address that clients connect to, else like `wlc`. Take it for transparent caches. With a service
    /// for one address, all connections go to one destination.
    public static let localityBasedLeastConnection: Self = "lblc"
    /// `lblcr`: like `lblc`, but a busy address gets a set of destinations.
    public static let localityBasedLeastConnectionWithReplication: Self = "lblcr"
    /// `dh`: by a hash of the address that clients connect to. Take it for transparent caches. With a service for one
    /// address, all connections go to one destination.
    public static let destinationHashing: Self = "dh"
    /// `sh`: by a hash of the client's address. Take it to keep clients at their destination without remembering them.
    public static let sourceHashing: Self = "sh"
    /// `mh`: by Maglev's consistent hash of the client's address. Take it as `sh`, if few clients should move when
    /// destinations change, or if several balancers should choose alike.
    public static let maglevHashing: Self = "mh"
    /// `sed`: the shortest expected delay, (active connections + 1) / weight. Take it as `wlc`, if large destinations
    /// should get the first connections under low load.
    public static let shortestExpectedDelay: Self = "sed"
    /// `nq`: an idle destination if there is one, else like `sed`. Take it if no destination should be idle while
    /// others queue.
    public static let neverQueue: Self = "nq"
    /// `fo`: the available destination with the highest weight. Take it for standby destinations.
    public static let weightedFailover: Self = "fo"
    /// `ovf`: the destination with the highest weight until it has as many active connections, then the next. Take it
    /// to keep the number of busy destinations small.
    public static let weightedOverflow: Self = "ovf"
    /// `twos`: the less loaded of two destinations that are chosen at random. Take it for very many destinations.
    public static let powerOfTwo: Self = "twos"

    /// All schedulers of Linux 6.12.
    public static let known: [Self] = [
        .roundRobin, .weightedRoundRobin, .leastConnection, .weightedLeastConnection, .localityBasedLeastConnection,
        .localityBasedLeastConnectionWithReplication, .destinationHashing, .sourceHashing, .maglevHashing,
        .shortestExpectedDelay, .neverQueue, .weightedFailover, .weightedOverflow, .powerOfTwo,
    ]
}
