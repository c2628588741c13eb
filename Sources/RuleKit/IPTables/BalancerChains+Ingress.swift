import IPVSKit

/// The rules by which connections leave the node for its sandbox, and by which the sandbox sends them on.
extension BalancerChains {
    /// The sandbox's address, if it has one of this family.
    private var sandbox: IPAddress? { ingress?.address(family) }
    private var gatewaySubnets: [IPPrefix] { ingress?.subnets.filter { $0.family == family } ?? [] }

    /// Sends connections to ports whose services are in the sandbox there, also those to loopback addresses.
    ///
    /// While a port moves between the balancers, it may be in the sets of both. Then the mark decides: IPVS of the node
    /// would otherwise also take the node's own connections that are translated here.
    var ingressDNAT: Skeleton.Chain? {
        guard let sandbox else { return nil }
        let ports = Self.protocols.map { "-p \($0) \(match(.elsewhere($0)!))" } + [match(.elsewhereAt)]
        return Skeleton.Chain(
            table: "nat", name: OwnRules.ingressChain,
            jumps: [.init(from: "PREROUTING", condition: Self.local), .init(from: "OUTPUT", condition: Self.local)],
            rules: linkLocalReturns + published.map { "! -d \(loopback) \($0) -j RETURN" }
                + ports.map { "\($0) -j DNAT --to-destination \(sandbox)" })
    }

    /// Gives packets that the sandbox, or the world outside, could not answer the node's address as their source. What
    /// comes from the gateway bridge to the sandbox has met the rule before the last ones.
    var ingressMasquerades: [String] {
        guard let ingress else { return [] }
        let out = "-o \(ingress.interface) "
        return ["-s \(loopback) \(out)-j MASQUERADE"]
            + gatewaySubnets.map { "-s \($0) \(out)-j MASQUERADE" }
            + ["\(out)\(match(.insiders, "src")) -j MASQUERADE"]
            + gatewaySubnets.map { "-s \($0) ! -o \(ingress.bridge) -j MASQUERADE" }
    }

    /// Accepts connections to the sandbox, and those that leave the gateway bridge, in both directions.
    var ingressAccepts: [String] {
        guard let ingress else { return [] }
        let replies = "-m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT"
        var rules: [String] = []
        if sandbox != nil {
            rules += [
                "-o \(ingress.interface) -m conntrack --ctstate DNAT -j ACCEPT", "-i \(ingress.interface) \(replies)",
            ]
        }
        if !gatewaySubnets.isEmpty {
            rules += ["-i \(ingress.bridge) ! -o \(ingress.bridge) -j ACCEPT", "-o \(ingress.bridge) \(replies)"]
        }
        return rules
    }

    /// Translates the source ports of balanced packets into the range of this node. A port that is in the range stays,
    /// and so does the client's address.
    var sourcePortRules: [String] {
        guard let ports = sourcePorts else { return [] }
        return Self.protocols.map {
            "-p \($0) -m ipvs --ipvs -j SNAT --to-source :\(ports.lowerBound)-\(ports.upperBound)"
        }
    }

    /// Lowers the greatest segment (MSS) that each end of a TCP connection announces to what passes the overlay. A client
    /// may never hear that its packets are too long, and the kernel of a task cannot tell itself without `lo`.
    ///
    /// SYN and SYN-ACK both pass PREROUTING here. The target TCPMSS wants the match for SYN in its own rule. It never
    /// raises what it finds.
    var segments: Skeleton.Chain? {
        guard let mtu else { return nil }
        let opening = "-p tcp -m tcp --tcp-flags SYN SYN "
        return Skeleton.Chain(
            table: "mangle", name: "MESH-MSS", jumps: [.init(from: "PREROUTING", condition: opening)],
            rules: ["\(opening)-j TCPMSS --set-mss \(family.segmentSize(in: mtu))"])
    }
}
