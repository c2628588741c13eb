extension Destination {
    /// - Parameters:
    ///   - id: the service of the destination.
    ///   - found: the destination as the kernel has it; nil if that is unknown.
    func objection(of id: VirtualService.ID, replacing found: Self? = nil) -> String? {
        Rules.objection(
            to: Placed(destination: self, service: id), replacing: found.map { Placed(destination: $0, service: id) },
            Self.rules)
    }

    private struct Placed {
        let destination: Destination
        let service: VirtualService.ID
    }

    private static let rules: [Rule<Placed>] = [
        { placed in
            let method = placed.destination.forwarding
            return ForwardingMethod.known.contains(method)
                ? nil : "there is no forwarding method \(method): packets would not be forwarded at all"
        },
        { placed in
            let destination = placed.destination
            guard case .address(_, let port, _) = placed.service, destination.id.port != 0, destination.id.port != port
            else { return nil }
            // Without masquerading, the packet is forwarded unchanged and is served at the port that the client used.
            if destination.forwarding != .masquerade {
                return "only masquerading changes the port: by \(destination.forwarding) a destination has the "
                    + "service's port, \(port), or 0"
            }
            return port == 0 ? "a service for all ports ignores the port of a destination: give it port 0" : nil
        },
        { $0.destination.forwarding == .tunnel ? $0.destination.tunnel.objection : nil },
        { placed in
            placed.destination.upperThreshold > UInt32(Int32.max)
                ? "a threshold is 2147483647 at most: the kernel counts connections in 31 bits" : nil
        },
    ]
}

extension Destination.ForwardingMethod {
    fileprivate static let known: Set<Self> = [.masquerade, .local, .tunnel, .directRoute, .bypass]
}

extension Destination.Tunnel {
    fileprivate var objection: String? {
        guard [.ipip, .gue, .gre].contains(type) else {
            return "there is no tunnel type \(type.rawValue): packets would not be wrapped as it says"
        }
        if port != 0, type != .gue { return "only a GUE tunnel has a port" }
        if type == .ipip, !flags.isDisjoint(with: [.checksum, .remoteChecksum]) {
            return "an IPIP tunnel has no checksum: GUE and GRE do"
        }
        if type == .gre, flags.contains(.remoteChecksum) { return "only a GUE tunnel has a remote checksum" }
        return nil
    }
}
