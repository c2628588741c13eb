import RuleKit

extension MeshSpec {
    /// A published port, and the name of its service.
    typealias NamedPort = (name: String, listening: PortBinding)

    /// Two ports that could both be meant by a packet.
    struct AlikePorts {
        var one: NamedPort
        var other: NamedPort
        /// Whether clients tell them apart, by the address, and only the sandbox does not.
        var areAlikeInSandbox: Bool

        /// Why one of them cannot be published beside the other.
        func words(of port: NamedPort, besides other: NamedPort) -> String {
            areAlikeInSandbox
                ? "the ingress network tells ports apart by their numbers alone, and "
                    + "\(other.listening) of service \(other.name) has the number of \(port.listening): balance one of the "
                    + "services on the host (--network host), or choose another number"
                : "\(port.listening) overlaps \(other.listening) of service \(other.name)"
        }
    }

    /// All pairs of ports that a packet could be meant by both of. The node sends packets to the sandbox with the
    /// sandbox's address as their destination. So the sandbox, which balances the ports on ingress, does not see at which
    /// of the node's addresses a client has connected.
    func alikePorts() -> [AlikePorts] {
        let all = services.flatMap { name, service in service.ports.map { (name: name, listening: $0.listening) } }
        let isInSandbox = services.mapValues { $0.balancing == .ingress }
        var found: [AlikePorts] = []
        for ports in Dictionary(grouping: all, by: \.listening.transport).values {
            let ports = ports.sorted {
                ($0.listening.ports.lowerBound, $0.listening, $0.name)
                    < ($1.listening.ports.lowerBound, $1.listening, $1.name)
            }
            for (index, one) in ports.enumerated() {
                for other in ports[(index + 1)...] {
                    guard other.listening.ports.lowerBound <= one.listening.ports.upperBound else { break }
                    let overlap = one.listening.overlaps(other.listening)
                    guard overlap || isInSandbox[one.name] == true && isInSandbox[other.name] == true else { continue }
                    found.append(AlikePorts(one: one, other: other, areAlikeInSandbox: !overlap))
                }
            }
        }
        return found
    }

    /// Refuses a port that the sandbox cannot tell apart from one that is published already.
    func refuse(inSandbox listening: PortBinding) throws(InputError) {
        for (name, service) in services where service.balancing == .ingress {
            let alike = service.ports.map(\.listening).first {
                $0.transport == listening.transport && $0.ports.overlaps(listening.ports) && !$0.overlaps(listening)
            }
            guard let alike else { continue }
            let pair = AlikePorts(one: ("", listening), other: (name, alike), areAlikeInSandbox: true)
            throw InputError("\(listening) cannot be published: \(pair.words(of: pair.one, besides: pair.other))")
        }
    }

    /// Refuses ports that the sandbox cannot tell apart, unless it was so before: what has been carried out is not refused
    /// afterwards.
    func refuseAlikePorts(besides before: MeshSpec) throws(InputError) {
        guard let pair = alikePorts().first(where: \.areAlikeInSandbox) else { return }
        guard !before.alikePorts().contains(where: \.areAlikeInSandbox) else { return }
        let isNew = before.publisher(of: pair.one.listening) == nil
        let (port, other) = isNew ? (pair.one, pair.other) : (pair.other, pair.one)
        throw InputError("\(port.listening) cannot be published: \(pair.words(of: port, besides: other))")
    }
}
