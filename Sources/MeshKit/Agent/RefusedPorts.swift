import Netlink
import RuleKit

/// The ports that tasks ask for and that something else on this node uses. Looking for that takes a while, so it is done
/// again only now and then.
final class RefusedPorts: Sendable {
    /// After how long a port is looked at again.
    static let validity = Duration.seconds(30)

    private let ports = Locked<[PortBinding: (reason: String, until: ContinuousClock.Instant)]>([:])

    /// Why ports cannot be published, by port.
    func reasons(at now: ContinuousClock.Instant) -> [PortBinding: String] {
        ports.withLock { ports in
            ports = ports.filter { $0.value.until > now }
            return ports.mapValues(\.reason)
        }
    }

    /// Adds ports.
    func add(_ reasons: [PortBinding: String], at now: ContinuousClock.Instant) {
        ports.withLock { ports in
            for (port, reason) in reasons { ports[port] = (reason, now + Self.validity) }
        }
    }
}
