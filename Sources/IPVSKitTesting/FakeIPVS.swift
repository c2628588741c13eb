public import IPVSKit
import Netlink
public import SystemPackage

/// A kernel in memory: it keeps services and destinations, refuses what the real kernel refuses, and answers like it.
///
/// ```swift
/// let fake = FakeIPVS()
/// try await fake.client.create(VirtualService(id: .firewallMark(0x102, .ipv4)))
/// print(fake)  // -A -f 258 -s rr
/// ```
///
/// Requests are encoded and replies decoded by the code that talks to the real kernel, and one suite of checks runs on
/// both. The fake moves no packets: counters stand still unless a test sets them.
public final class FakeIPVS: Sendable, CustomStringConvertible {
    /// A fault in the handling of a request.
    public struct Fault: Sendable {
        enum Kind {
            case error(Errno)
            case ignored
            case lost
            case malformed
        }

        let kind: Kind

        /// The kernel refuses the request and changes nothing.
        public static func error(_ errno: Errno) -> Self { Self(kind: .error(errno)) }
        /// The kernel hangs: it changes nothing and does not answer.
        public static let ignored = Self(kind: .ignored)
        /// The kernel makes the change, and the answer is lost.
        public static let lost = Self(kind: .lost)
        /// The kernel makes the change, and the answer is not netlink.
        public static let malformed = Self(kind: .malformed)
    }

    private let state: Locked<State>
    /// A client of this kernel; any number of tasks may share it.
    public let client: IPVS

    /// An empty table.
    ///
    /// - Parameters:
    ///   - schedulers: the schedulers for which there are modules.
    ///   - persistenceEngines: the persistence engines for which there are modules.
    ///   - interfaces: the network interfaces that a sync daemon can use.
    public init(
        schedulers: Set<Scheduler> = FakeIPVS.schedulers, persistenceEngines: Set<String> = ["sip"],
        interfaces: Set<String> = ["lo", "eth0"]
    ) {
        state = Locked(
            State(
                schedulers: Set(schedulers.map(\.rawValue)), persistenceEngines: persistenceEngines,
                interfaces: interfaces))
        client = Self.client(of: state, deadline: .seconds(30))
    }

    /// The schedulers of Linux 6.1.
    public static let schedulers: Set<Scheduler> = [
        "rr", "wrr", "lc", "wlc", "lblc", "lblcr", "dh", "sh", "mh", "sed", "nq", "fo", "ovf", "twos",
    ]

    /// Another client of this kernel.
    ///
    /// - Parameter deadline: how long a call waits for an answer; choose a short one if answers will be missing.
    public func client(deadline: Duration) -> IPVS { Self.client(of: state, deadline: deadline) }

    /// Another client of this kernel, each of whose requests is looked at first.
    ///
    /// - Parameter refusal: called with each request before it takes effect; what it returns, the request is answered with,
    ///   and nothing is done.
    package func client(refusing refusal: @escaping @Sendable (SimulatedRequest) -> Errno?) -> IPVS {
        IPVS(
            simulating: { [state] (request: SimulatedRequest) -> [SimulatedReply] in
                if let errno = refusal(request) { return [.error(errno)] }
                return state.withLock { $0.answer(request) }
            }, connections: { [state] in state.withLock { $0.connections } })
    }

    // Holds the state and not the fake, which holds a client.
    private static func client(of state: Locked<State>, deadline: Duration) -> IPVS {
        IPVS(
            simulating: { (request: SimulatedRequest) -> [SimulatedReply] in
                state.withLock { $0.answer(request) }
            }, connections: { state.withLock { $0.connections } }, deadline: deadline)
    }

    /// Makes the next requests fail. Several faults for the same requests take effect one after the other.
    ///
    /// - Parameters:
    ///   - fault: the fault.
    ///   - count: the number of requests that fail.
    ///   - command: the kind of request; nil for any.
    public func inject(_ fault: Fault, next count: Int = 1, on command: SimulatedRequest.Command? = nil) {
        state.withLock { $0.faults.append(.init(fault: fault, remaining: count, command: command)) }
    }

    /// Gives a service counters, as if it had had traffic.
    ///
    /// - Precondition: the service exists.
    public func setStatistics(_ statistics: Statistics, of id: VirtualService.ID) {
        state.withLock { state in
            precondition(state.services[id] != nil, "no service \(id)")
            state.services[id]?.statistics = statistics
        }
    }

    /// Gives a destination counters and connections, as if it had had traffic, and attributes that no kernel has yet.
    /// The destination itself (weight, method and so on) stays as a client made it.
    ///
    /// - Precondition: the destination exists.
    public func setStatus(_ status: DestinationStatus, of id: VirtualService.ID) {
        state.withLock { state in
            guard let asked = state.services[id]?.destinations[status.id]?.status.destination else {
                preconditionFailure("no destination \(status.id) of \(id)")
            }
            var status = status
            status.destination = asked
            state.services[id]?.destinations[status.id]?.status = status
        }
    }

    /// Gives the namespace a connection table, as if there had been traffic. To set the numbers of connections of
    /// destinations, use ``setStatus(_:of:)``.
    public func setConnections(_ connections: [Connection]) { state.withLock { $0.connections = connections } }

    /// The table as `ipvsadm -Sn` writes it: a line for each service, followed by one for each of its destinations.
    public var description: String { state.withLock { $0.saved } }
}
