import ArgumentParser
import IPVSKit
import MeshKit
import RuleKit

/// The address of a task.
enum AddressArgument {
    @Sendable static func parse(_ text: String) throws -> IPAddress {
        guard let address: IPAddress = .init(text) else {
            throw ValidationError("write an IPv4 or IPv6 address without a port, as in 10.0.0.11 or fd00::11.")
        }
        return address
    }
}

/// A scheduler with which a port can be published.
enum SchedulerArgument {
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

    @Sendable static func parse(_ text: String) throws -> Scheduler {
        let scheduler = Scheduler(rawValue: text)
        guard Scheduler.publishable.contains(scheduler) else {
            let reason = scheduler.unsuitability.map { "\($0); " } ?? ""
            throw ValidationError(
                "\(reason)the schedulers are \(Scheduler.publishable.map(\.rawValue).joined(separator: ", ")).")
        }
        return scheduler
    }
}

/// A network from which clients may connect; `any` stands for all networks.
enum AllowArgument: Sendable, Equatable {
    case any
    case network(IPPrefix)

    @Sendable static func parse(_ text: String) throws -> Self {
        if text == "any" { return .any }
        guard let prefix: IPPrefix = .init(text) else {
            throw ValidationError("write a network or an address, as in 10.0.0.0/8 or fd00::/8, or any.")
        }
        return .network(prefix)
    }

    /// The networks of all `--allow` options; empty for `any`, and nil without the option.
    static func networks(_ arguments: [Self]) throws -> [IPPrefix]? {
        if arguments.isEmpty { return nil }
        guard arguments.contains(.any) else {
            return arguments.compactMap { if case .network(let prefix) = $0 { prefix } else { nil } }
        }
        guard arguments.count == 1 else {
            throw ValidationError("--allow any cannot be combined with another --allow.")
        }
        return []
    }
}

/// `90`, `90s`, `10m`, `2h`, `1d`: a time in seconds. `off` is 0.
enum DurationArgument {
    @Sendable static func parse(_ text: String) throws -> UInt32 {
        if text == "off" { return 0 }
        let units: [Character: UInt32] = ["s": 1, "m": 60, "h": 3600, "d": 86400]
        let unit = text.last.flatMap { units[$0] }
        let digits = unit == nil ? text[...] : text.dropLast()
        // The kernel counts clock ticks in 31 bits, and its clock ticks 1000 times a second at most.
        guard digits.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }),
            let number = UInt32(digits),
            let seconds = Optional(number.multipliedReportingOverflow(by: unit ?? 1)), !seconds.overflow,
            (1...2_000_000).contains(seconds.partialValue)
        else {
            throw ValidationError("write a time from 1s to 23d, as in 90s, 10m, 2h or 1d, or off.")
        }
        return seconds.partialValue
    }
}

/// The source address that tasks see.
enum SourceIPArgument {
    @Sendable static func parse(_ text: String) throws -> SourceIP {
        guard let choice = SourceIP(rawValue: text) else {
            throw ValidationError("write one of \(SourceIP.allCases.map(\.rawValue).joined(separator: ", ")).")
        }
        return choice
    }
}
