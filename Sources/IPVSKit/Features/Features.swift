/// What a kernel's IPVS can do beyond what all of them can, as found by trying it: see ``IPVS/features()``.
///
/// Its version number (``Info/version``) does not tell.
public struct Features: Hashable, Sendable {
    /// The wrapping of a tunnel (``Destination/tunnel``) is kept: since Linux 5.3. Without it a GUE or GRE tunnel
    /// silently becomes IPIP.
    public var tunnelTypes: Bool
    /// Counters have 64 bits (`IPVS_SVC_ATTR_STATS64`): since Linux 4.1. Without it connections and packets wrap
    /// at 2³².
    public var wideCounters: Bool
    /// A destination has a family of its own (`IPVS_DEST_ATTR_ADDR_FAMILY`), which may differ from the client's
    /// if a tunnel leads there: since Linux 3.18.
    public var mixedFamilies: Bool
    /// Services and destinations can be IPv6: CONFIG_IP_VS_IPV6, and IPv6 is not off.
    public var ipv6: Bool
    /// Netfilter can keep track of balanced connections (``Setting/conntrack``): CONFIG_IP_VS_NFCT.
    public var conntrack: Bool
    /// Counters are brought up to date by threads, whose niceness and processors can be set
    /// (``Setting/estNice``, ``Setting/estCpulist``): since Linux 6.2.
    public var estimatorThreads: Bool

    /// All as given, for tests of what reads it.
    public init(
        tunnelTypes: Bool, wideCounters: Bool, mixedFamilies: Bool, ipv6: Bool, conntrack: Bool,
        estimatorThreads: Bool
    ) {
        self.tunnelTypes = tunnelTypes
        self.wideCounters = wideCounters
        self.mixedFamilies = mixedFamilies
        self.ipv6 = ipv6
        self.conntrack = conntrack
        self.estimatorThreads = estimatorThreads
    }
}
