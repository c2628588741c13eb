import ArgumentParser
import IPVSKit
import MeshKit
import RuleKit

/// An address of a task, as written.
enum AddressArgument {
    @Sendable static func parse(_ text: String) throws -> IPAddress {
        guard let address: IPAddress = .init(text) else {
            throw ValidationError("write an IPv4 or IPv6 address without a port, as in 10.0.0.11 or fd00::11.")
        }
        return address
    }
}

/// A scheduler that the kernel can have and a port can be published with.
enum SchedulerArgument {
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

/// A network that clients may come from; `any` stands for all of them.
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

    /// Nil where nothing was said.
    static func networks(_ arguments: [Self]) throws -> [IPPrefix]? {
        if arguments.isEmpty { return nil }
        guard arguments.contains(.any) else {
            return arguments.compactMap { if case .network(let prefix) = $0 { prefix } else { nil } }
        }
        guard arguments.count == 1 else { throw ValidationError("--allow any goes with no other --allow.") }
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
        // The kernel counts in clock ticks, of which there are a thousand in a second at most, in 31 bits.
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

/// Whose address tasks see.
enum SourceIPArgument {
    @Sendable static func parse(_ text: String) throws -> SourceIP {
        guard let choice = SourceIP(rawValue: text) else {
            throw ValidationError("write one of \(SourceIP.allCases.map(\.rawValue).joined(separator: ", ")).")
        }
        return choice
    }
}
