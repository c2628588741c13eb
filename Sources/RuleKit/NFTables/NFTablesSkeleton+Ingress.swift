import IPVSKit

/// The rules by which connections leave the node for another namespace: for the sandbox, and for the detour of
/// connections to loopback addresses.
extension NFTablesSkeleton {
    private static let families: [AddressFamily] = [.ipv4, .ipv6]

    /// Sends marked connections to the sandbox. Connections to loopback addresses are not marked.
    static func intoSandbox(_ path: IngressPath, clearingMark: Bool = false) -> [String] {
        families.compactMap { family in
            path.address(family).map { address in
                "meta mark @elsewhere meta nfproto \(family.protocolName) "
                    + (clearingMark ? "meta mark set 0x00000000 " : "") + "dnat \(family.keyword) to \(address)"
            }
        }
    }

    /// Clears the marks of the node's own packets to the sandbox, behind the chain that translates them and before IPVS,
    /// whose hook is at priority -98. The mark has done its work. While a port moves from the node's balancer to the
    /// sandbox, the node still has the former service of the mark, which would refuse new connections.
    static let unmarking = Chain(
        name: "unmark", hook: "type filter hook output priority -99",
        rules: ["meta mark @elsewhere meta mark set 0x00000000"])

    /// The families in which a connection to a loopback address has a way.
    private static func loopbackFamilies(_ detour: Detour?, _ ingress: IngressPath?) -> [AddressFamily] {
        families.filter { detour?.address($0) != nil || ingress?.address($0) != nil }
    }

    /// The rules that connections to loopback addresses meet first at the hook output. They go no further there.
    static func loopbackEntrances(_ detour: Detour?, _ ingress: IngressPath?) -> [String] {
        loopbackFamilies(detour, ingress).map { family in
            family == .ipv4 ? "ip daddr 127.0.0.0/8 goto detour" : "ip6 daddr ::1 goto detour"
        }
    }

    /// Sends connections to loopback addresses to the sandbox, or by the detour.
    ///
    /// A rule cannot ask whether a map has a key. So a rule sets the mark from the map, which only continues the rule if
    /// the key exists. The most specific lookup comes first, and decides. The mark is cleared again, since IPVS must not
    /// see a mark here. Where no lookup finds anything, the packet keeps the mark that it came with.
    static func leavingLoopback(_ detour: Detour?, _ ingress: IngressPath?) -> [Chain] {
        var rules = ingress.map { intoSandbox($0, clearingMark: true) } ?? []
        for address in detour?.addresses ?? [] {
            let family = address.family
            rules.append(
                "meta mark @published meta nfproto \(family.protocolName) meta mark set 0x00000000 "
                    + "dnat \(family.keyword) to \(address)")
        }
        let hasIPv6 = loopbackFamilies(detour, ingress).contains(.ipv6)
        return [
            Chain(name: "leave", rules: rules + ["meta mark set 0x00000000"]),
            Chain(
                name: "detour",
                rules: lookups.filter { !$0.contains("@vips") && (hasIPv6 || !$0.hasPrefix("ip6 ")) }
                    .map { "meta mark set \($0) goto leave" }),
        ]
    }

    /// Gives packets that the sandbox, or the world outside, could not answer the node's address as their source.
    static func masquerading(_ path: IngressPath) -> [String] {
        let out = "oifname \"\(path.interface)\" "
        let subnets = path.subnets.map { "\($0.family.keyword) saddr \($0.wording) " }
        return ["ip saddr 127.0.0.0/8 ", "ip6 saddr ::1 "].map { out + $0 + "masquerade" }
            + subnets.map { out + $0 + "masquerade" }
            + ["ip saddr @insiders4", "ip6 saddr @insiders6"].map { out + $0 + " masquerade" }
            + subnets.map {
                "\($0)oifname != \"\(path.bridge)\" oifname != \"\(path.interface)\" masquerade"
            }
    }

    /// Translates the source ports of balanced packets into the range of this node. A port that is in the range stays,
    /// and so does the client's address.
    static func translating(_ ports: ClosedRange<UInt16>) -> [String] {
        families.map {
            "meta mark @published meta nfproto \($0.protocolName) meta l4proto { tcp, udp, sctp } "
                + "snat to :\(ports.lowerBound)-\(ports.upperBound)"
        }
    }

    /// Lowers the greatest segment (MSS) that each end of a TCP connection announces to what passes the overlay. A client
    /// may never hear that its packets are too long, and the kernel of a task cannot tell itself without `lo`.
    ///
    /// SYN and SYN-ACK both pass prerouting here, and only they come to this chain. The kernel never raises this option.
    static func segments(in mtu: UInt32) -> Chain {
        Chain(
            name: "segments",
            rules: families.map {
                "meta nfproto \($0.protocolName) tcp option maxseg size set \($0.segmentSize(in: mtu))"
            })
    }
}

extension AddressFamily {
    /// The word before an address: `ip saddr`.
    var keyword: String { self == .ipv4 ? "ip" : "ip6" }
    /// The value of `meta nfproto`.
    var protocolName: String { self == .ipv4 ? "ipv4" : "ipv6" }
}

extension IPPrefix {
    /// The network as `nft` lists it: a single address without its length.
    var wording: String { self == IPPrefix(address) ? "\(address)" : "\(self)" }
}
