import IPVSKit
import RuleKit

extension MeshSpec {
    /// A published port, and the name of its service.
    struct NamedPort {
        var name: String
        var port: PublishedPort
        var listening: PortBinding { port.listening }

        /// Whether the sandbox, if it balances both, cannot tell which of two ports is meant, and it matters.
        fileprivate func isAlikeInSandbox(_ other: Self) -> Bool {
            let (inner, others) = (port.inSandbox, other.port.inSandbox)
            return inner.listening.overlaps(others.listening)
                && (name != other.name || inner.leading != others.leading)
        }
    }

    /// Two ports that could both be meant by a packet.
    struct AlikePorts {
        var one: NamedPort
        var other: NamedPort
        /// Whether clients tell them apart, by the address, and only the sandbox does not.
        var areAlikeInSandbox: Bool

        /// Why the second one cannot be published beside the first.
        var words: String { Self.words(other, besides: one, areAlikeInSandbox) }
        /// Why the first one cannot be published beside the second.
        var wordsOfTheFirst: String { Self.words(one, besides: other, areAlikeInSandbox) }

        private static func words(_ port: NamedPort, besides other: NamedPort, _ areAlikeInSandbox: Bool) -> String {
            areAlikeInSandbox
                ? "\(port.listening) and \(other.listening) of service \(other.name) have one number, and the ingress "
                    + "network does not see at which address of the node a client has connected: choose another number"
                : "\(port.listening) overlaps \(other.listening) of service \(other.name)"
        }
    }

    /// All pairs of ports that a packet could be meant by both of. The node sends packets to the sandbox with the
    /// sandbox's address as their destination. So the sandbox, which balances the ports on ingress, does not see at which
    /// of the node's addresses a client has connected. That does not matter where both ports lead to the same.
    ///
    /// - Parameter before: a spec whose pairs are left out: what has been carried out is not refused afterwards.
    func alikePorts(besides before: MeshSpec? = nil) -> [AlikePorts] {
        let all = services.flatMap { name, service in service.ports.map { NamedPort(name: name, port: $0) } }
        let isInSandbox = services.mapValues { $0.balancing == .ingress }
        var found: [AlikePorts] = []
        for ports in Dictionary(grouping: all, by: \.listening.transport).values {
            let ports = ports.sorted { ($0.listening, $0.name) < ($1.listening, $1.name) }
            for (index, one) in ports.enumerated() {
                for other in ports[(index + 1)...] {
                    guard other.listening.ports.lowerBound <= one.listening.ports.upperBound else { break }
                    let overlap = one.listening.overlaps(other.listening)
                    let areInSandbox = isInSandbox[one.name] == true && isInSandbox[other.name] == true
                    guard overlap || areInSandbox && one.isAlikeInSandbox(other) else { continue }
                    found.append(AlikePorts(one: one, other: other, areAlikeInSandbox: !overlap))
                }
            }
        }
        guard let before, !found.isEmpty else { return found }
        let former = Set(before.alikePorts().map { [$0.one.listening, $0.other.listening] })
        return found.filter { !former.contains([$0.one.listening, $0.other.listening]) }
    }

    /// Refuses a port that the sandbox could not tell apart from one that is published already.
    func refuse(inSandbox port: PublishedPort, of service: String) throws(InputError) {
        let new = NamedPort(name: service, port: port)
        for (name, service) in services where service.balancing == .ingress {
            for present in service.ports {
                let present = NamedPort(name: name, port: present)
                guard !present.listening.overlaps(new.listening), present.isAlikeInSandbox(new) else { continue }
                throw InputError(AlikePorts(one: present, other: new, areAlikeInSandbox: true).words)
            }
        }
    }

    /// Refuses ports that the sandbox cannot tell apart.
    ///
    /// - Parameter before: a spec in which it was so already is not refused.
    func refuseAlikePorts(besides before: MeshSpec) throws(InputError) {
        guard let pair = alikePorts(besides: before).first(where: \.areAlikeInSandbox) else { return }
        throw InputError(before.publisher(of: pair.one.listening) == nil ? pair.wordsOfTheFirst : pair.words)
    }

    /// Takes from the spec what a source has found and what the sandbox could not tell apart from other ports: a port, or
    /// else the attached tasks by which a service has come to ingress.
    ///
    /// - Parameter before: a spec in which it was so already stays as it is.
    /// - Returns: what was taken away, in words.
    mutating func removeAlikePorts(of origin: Origin, besides before: MeshSpec) -> [String] {
        // As in most passes of an agent.
        guard self != before else { return [] }
        var notes: [String] = []
        while let pair = alikePorts(besides: before).first(where: \.areAlikeInSandbox) {
            let found = [(pair.other, pair.words), (pair.one, pair.wordsOfTheFirst)]
            if let (port, words) = found.first(where: { $0.0.port.origin == origin }) {
                services[port.name]!.ports.removeAll { $0.listening == port.listening }
                notes.append("what containers of service \(port.name) ask for is not published: \(words)")
                continue
            }
            func isFound(_ task: SpecTask) -> Bool { task.origin == origin && task.attachment != nil }
            guard let (port, words) = found.first(where: { services[$0.0.name]!.tasks.contains(where: isFound) }) else {
                break
            }
            services[port.name]!.tasks.removeAll(where: isFound)
            notes.append("containers are not attached for service \(port.name): \(words)")
        }
        return notes
    }
}

extension PublishedPort {
    /// The port without what tells it from others that lead to the same.
    fileprivate var leading: Self {
        var port = self
        port.mark = 1
        port.origin = nil
        return port
    }
}
