import IPVSKit
import MeshKit
import RuleKit

/// What is written as a text: an argument of the command line, or a field of an operation.
protocol TextArgument: SendableMetatype {
    associatedtype Value
    /// Reads the text.
    static func read(_ text: String) throws(InputError) -> Value
}

extension TextArgument {
    /// Reads an argument. A fault of the argument is wrong usage, and not invalid input.
    @Sendable static func parse(_ text: String) throws -> Value {
        try validating { () throws(InputError) in try read(text) }
    }
}

/// The address of a task.
enum AddressArgument: TextArgument {
    static func read(_ text: String) throws(InputError) -> IPAddress {
        guard let address: IPAddress = .init(text) else {
            throw InputError("write an IPv4 or IPv6 address without a port, as in 10.0.0.11 or fd00::11")
        }
        return address
    }
}

/// A scheduler with which a port can be published.
enum SchedulerArgument: TextArgument {
    /// When to take each scheduler, for the help. No line is longer than 60 columns, so that it never wraps.
    static let explanations: [(scheduler: Scheduler, use: String)] = [
        (.roundRobin, "in turn: tasks of equal size, short requests"),
        (.weightedRoundRobin, "in turn, by weight: tasks of different size"),
        (.leastConnection, "fewest connections: long or uneven connections"),
        (.weightedLeastConnection, "like lc, by weight: tasks of different size"),
        (.sourceHashing, "hash of the client address: sticky without memory"),
        (.maglevHashing, "like sh, but few clients move when tasks change"),
        (.shortestExpectedDelay, "like wlc, but large tasks first under low load"),
        (.neverQueue, "an idle task if there is one, else like sed"),
        (.weightedFailover, "only the highest weight; the others stand by"),
        (.weightedOverflow, "fills the highest weight first, then the next"),
        (.powerOfTwo, "the better of two random tasks: very many tasks"),
    ]

    /// The list of schedulers in the help of `publish`.
    static var help: String {
        explanations.map { scheduler, use in
            "  " + scheduler.rawValue + String(repeating: " ", count: 6 - scheduler.rawValue.count) + use
        }.joined(separator: "\n")
    }

    static func read(_ text: String) throws(InputError) -> Scheduler {
        let scheduler = Scheduler(rawValue: text)
        guard Scheduler.publishable.contains(scheduler) else {
            let reason = scheduler.unsuitability.map { "\($0); " } ?? ""
            throw InputError(
                "\(reason)the schedulers are \(Scheduler.publishable.map(\.rawValue).joined(separator: ", "))")
        }
        return scheduler
    }
}

/// A network from which clients may connect; `any` stands for all networks.
enum AllowArgument: TextArgument, Sendable, Equatable {
    case any
    case network(IPPrefix)

    static func read(_ text: String) throws(InputError) -> Self {
        if text == "any" { return .any }
        guard let prefix: IPPrefix = .init(text) else {
            throw InputError("write a network or an address, as in 10.0.0.0/8 or fd00::/8, or any")
        }
        return .network(prefix)
    }

    /// The networks of all `--allow` options; empty for `any`, and nil without the option.
    static func networks(_ arguments: [Self]) throws(InputError) -> [IPPrefix]? {
        if arguments.isEmpty { return nil }
        guard arguments.contains(.any) else {
            return arguments.compactMap { if case .network(let prefix) = $0 { prefix } else { nil } }
        }
        guard arguments.count == 1 else {
            throw InputError("--allow any cannot be combined with another --allow")
        }
        return []
    }
}

/// The subnet of a network or of a gateway bridge.
enum SubnetArgument: TextArgument {
    static func read(_ text: String) throws(InputError) -> IPPrefix {
        guard text.contains("/"), let prefix: IPPrefix = .init(text) else {
            throw InputError("write a subnet with the length of its prefix, as in 10.0.1.0/24 or fd00:1::/64")
        }
        let address = text.prefix { $0 != "/" }
        guard IPAddress(String(address)) == prefix.address else {
            throw InputError("\(address) is an address in the subnet \(prefix): write that")
        }
        return prefix
    }
}

/// `90`, `90s`, `10m`, `2h`, `1d`: a time in seconds. `off` is 0.
enum DurationArgument: TextArgument {
    static func read(_ text: String) throws(InputError) -> UInt32 { try DurationText.seconds(text) }
}

/// `5m`, `off`, `unlimited`: how long connections go on without a path for new ones.
enum DrainArgument: TextArgument {
    static func read(_ text: String) throws(InputError) -> DrainLimit { try DrainLimit(text) }
}

/// A health check, or none.
struct HealthArgument: TextArgument, Hashable {
    var check: HealthCheck?

    static func read(_ text: String) throws(InputError) -> Self {
        Self(check: text == "off" ? nil : try HealthCheck(text))
    }

    /// What there is and what it does, for the help. No line of the list is longer than 60 columns, so that it never wraps.
    static let help = """
          tcp         opens a connection
          http:/PATH  asks for a path: the status is 200 to 399
          udp         sends a datagram: the port is not closed

        Options of a check follow after commas, as in http:/healthz,interval=2s: port=NUMBER (default: the port that the \
        service's first published port leads to), interval=5s, timeout=2s, fall=3 and rise=2 probes in a row, and for http \
        status=200-299 and host=NAME. The agent of each node probes all tasks of the service from where its balancer is. A \
        task that fails gets no new connections, and keeps those it has; while no task is healthy, all of them get some.
        """
}

/// The most connections of a task. `off` is 0.
enum MaxConnectionsArgument: TextArgument {
    static func read(_ text: String) throws(InputError) -> UInt32 {
        if text == "off" { return 0 }
        guard let count = UInt32(text), (1...UInt32(Int32.max)).contains(count), text.first != "+" else {
            throw InputError("write a number from 1 to \(Int32.max), or off")
        }
        return count
    }
}

enum BalancingArgument: TextArgument {
    static func read(_ text: String) throws(InputError) -> Balancing {
        guard let balancing = Balancing(rawValue: text) else {
            throw InputError("\(text.debugDescription) is none of host and ingress")
        }
        return balancing
    }
}

/// The source address that tasks see.
enum SourceIPArgument: TextArgument {
    static func read(_ text: String) throws(InputError) -> SourceIP {
        guard let choice = SourceIP(rawValue: text) else {
            throw InputError("write one of \(SourceIP.allCases.map(\.rawValue).joined(separator: ", "))")
        }
        return choice
    }
}
