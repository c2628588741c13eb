/// How a service chooses a destination. Open: schedulers are kernel modules (`ip_vs_NAME`), loaded by name.
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

    /// `rr`: one after the other.
    public static let roundRobin: Self = "rr"
    /// `wrr`: one after the other, as often as the weight says.
    public static let weightedRoundRobin: Self = "wrr"
    /// `lc`: the fewest connections.
    public static let leastConnection: Self = "lc"
    /// `wlc`: the fewest connections for the weight.
    public static let weightedLeastConnection: Self = "wlc"
    /// `lblc`: by destination address, for caches. Useless behind a firewall mark.
    public static let localityBasedLeastConnection: Self = "lblc"
    /// `lblcr`: as `lblc`, with replication. Useless behind a firewall mark.
    public static let localityBasedLeastConnectionWithReplication: Self = "lblcr"
    /// `dh`: by a hash of the destination address. Useless behind a firewall mark.
    public static let destinationHashing: Self = "dh"
    /// `sh`: by a hash of the source address.
    public static let sourceHashing: Self = "sh"
    /// `mh`: by Maglev's consistent hash of the source address; every node chooses alike.
    public static let maglevHashing: Self = "mh"
    /// `sed`: the shortest expected delay.
    public static let shortestExpectedDelay: Self = "sed"
    /// `nq`: an idle destination if there is one, else the shortest expected delay.
    public static let neverQueue: Self = "nq"
    /// `fo`: the available destination of the highest weight.
    public static let weightedFailover: Self = "fo"
    /// `ovf`: fills destinations up to their weight, one behind the other.
    public static let weightedOverflow: Self = "ovf"
    /// `twos`: the better of two chosen at random.
    public static let powerOfTwo: Self = "twos"

    /// All that Linux 6.12 has.
    public static let known: [Self] = [
        .roundRobin, .weightedRoundRobin, .leastConnection, .weightedLeastConnection, .localityBasedLeastConnection,
        .localityBasedLeastConnectionWithReplication, .destinationHashing, .sourceHashing, .maglevHashing,
        .shortestExpectedDelay, .neverQueue, .weightedFailover, .weightedOverflow, .powerOfTwo,
    ]
}
