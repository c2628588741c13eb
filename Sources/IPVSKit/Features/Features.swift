/// Abilities that not every kernel's IPVS has, as found by trying them: see ``IPVS/features()``.
///
/// The version number (``Info/version``) does not show them.
public struct Features: Hashable, Sendable {
    /// The kernel keeps the type of a tunnel (``Destination/tunnel``): since Linux 5.3. Older kernels silently make
    /// IPIP of a GUE or GRE tunnel.
    public var tunnelTypes: Bool
    /// Counters have 64 bits (`IPVS_SVC_ATTR_STATS64`): since Linux 4.1. In older kernels, connections and packets wrap
    /// at 2³².
    public var wideCounters: Bool
    /// A destination has a family of its own (`IPVS_DEST_ATTR_ADDR_FAMILY`), which may differ from the client's for
    /// tunnels: since Linux 3.18.
    public var mixedFamilies: Bool
    /// Services and destinations can be IPv6: the kernel was built with CONFIG_IP_VS_IPV6, and IPv6 is on.
    public var ipv6: Bool
    /// Conntrack can track balanced connections (``Setting/conntrack``): the kernel was built with CONFIG_IP_VS_NFCT.
    public var conntrack: Bool
    /// Threads update the counters, and their niceness and processors can be set (``Setting/estNice``,
    /// ``Setting/estCpulist``): since Linux 6.2.
    public var estimatorThreads: Bool

    /// Makes features from the given values, for tests of code that reads features.
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
