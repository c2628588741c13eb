package import IPVSKit
import RuleKit
import SystemPackage

/// A published port that the agent holds: it binds a socket to it, so that no program of the node binds it in the belief
/// that clients would reach it there.
package struct HeldPort: Hashable, Sendable {
    package var transport: TransportProtocol
    /// The only address at which the port is published; nil for all addresses.
    package var address: IPAddress?
    package var number: UInt16

    package init(_ transport: TransportProtocol, at address: IPAddress? = nil, _ number: UInt16) {
        self.transport = transport
        self.address = address
        self.number = number
    }
}

extension HeldPort: Comparable, CustomStringConvertible {
    /// By number, protocol and address.
    package static func < (lhs: Self, rhs: Self) -> Bool {
        (lhs.number, lhs.transport.description, lhs.address?.description ?? "")
            < (rhs.number, rhs.transport.description, rhs.address?.description ?? "")
    }

    /// `192.168.5.1:1080/tcp`, or `1080/tcp`.
    package var description: String { PortBinding(number, transport, at: address).description }
}

extension HeldPort {
    /// That the port cannot be held, in words.
    ///
    /// - Parameter hasListener: whether a program listens on it. Connections that a former one has had may be left, too.
    func warning(because reason: Errno, hasListener: Bool) -> String {
        guard reason == .addressInUse else { return "the port \(self) cannot be held: \(reason)" }
        guard hasListener else {
            return "the port \(self) cannot be held yet, since connections of this node use it; it is tried again"
        }
        let option = transport == .tcp ? "t" : "u"
        return "a program on this node listens on \(self), which is published, and gets no connections from there: "
            + "`ss -ln\(option)p sport = :\(number)` shows the program"
    }
}

extension MeshSpec {
    /// The single published ports of TCP and UDP that the agent of a node holds. A range would take a socket for each port;
    /// `ip_local_reserved_ports` keeps the node from choosing its ports. A port on which a task at an address of the node
    /// itself listens is left to the task.
    ///
    /// - Parameter own: the addresses of the node.
    package func heldPorts(own: Set<IPAddress>) -> Set<HeldPort> {
        var held: Set<HeldPort> = []
        var left: Set<HeldPort> = []
        for service in services.values {
            let isServedHere = service.tasks.contains { $0.attachment == nil && own.contains($0.address) }
            for port in service.ports {
                let listening = port.listening
                guard [.tcp, .udp].contains(listening.transport) else { continue }
                if isServedHere { for target in port.targets { left.insert(HeldPort(listening.transport, target)) } }
                if listening.isRange { continue }
                // Nobody can bind an address that the node does not have.
                if let address = listening.address, !own.contains(address) { continue }
                held.insert(HeldPort(listening.transport, at: listening.address, listening.ports.lowerBound))
            }
        }
        return held.filter { !left.contains(HeldPort($0.transport, $0.number)) }
    }
}
