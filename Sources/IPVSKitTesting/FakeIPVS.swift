public import IPVSKit
import Netlink
public import SystemPackage

/// A kernel in memory that behaves: it keeps services and destinations, refuses what the kernel refuses, and answers as
/// the kernel answers.
///
/// ```swift
/// let fake = FakeIPVS()
/// try await fake.client.create(VirtualService(id: .firewallMark(0x102, .ipv4)))
/// print(fake)  // -A -f 258 -s rr
/// ```
///
/// It speaks the wire: what a client sends is encoded, and what it reads is decoded, by the code that talks to the real
/// kernel. One suite of checks runs on both. It moves no packets: counters stand still unless a test sets them.
public final class FakeIPVS: Sendable, CustomStringConvertible {
    /// What goes wrong with a request.
    public struct Fault: Sendable {
        enum Kind {
            case error(Errno)
            case ignored
            case lost
            case malformed
        }

        let kind: Kind

        /// The kernel refuses it; nothing is done.
        public static func error(_ errno: Errno) -> Self { Self(kind: .error(errno)) }
        /// No answer, and nothing is done: the kernel hangs.
        public static let ignored = Self(kind: .ignored)
        /// It is done, and there is no answer.
        public static let lost = Self(kind: .lost)
        /// It is done, and the answer is no netlink.
        public static let malformed = Self(kind: .malformed)
    }

    private let state: Locked<State>
    /// A client of this kernel; any number of tasks may share it.
    public let client: IPVS

    /// An empty table.
    ///
    /// - Parameters:
    ///   - schedulers: those that there are modules of.
    ///   - persistenceEngines: those that there are modules of.
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
    /// - Parameter deadline: how long a call waits for an answer; short where answers are to be missing.
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

    /// Makes the next requests go wrong. Faults for the same requests take effect one after the other.
    ///
    /// - Parameters:
    ///   - fault: what goes wrong.
    ///   - count: with how many requests.
    ///   - command: of which kind; nil for any.
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
    /// Weight, method and the rest of the destination itself stay as they were asked for by a client.
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

    /// Gives the namespace a connection table, as if there had been traffic. The counts of connections that destinations
    /// have are ``setStatus(_:of:)``'s.
    public func setConnections(_ connections: [Connection]) { state.withLock { $0.connections = connections } }

    /// The table as `ipvsadm -Sn` writes it: a line for each service, and behind it one for each of its destinations.
    public var description: String { state.withLock { $0.saved } }
}
