import ArgumentParser
import IPVSKit

/// An address of a task, as written.
enum AddressArgument {
    @Sendable static func parse(_ text: String) throws -> IPAddress {
        guard let address: IPAddress = .init(text) else {
            throw ValidationError("write an IPv4 or IPv6 address without a port, as in 10.0.0.11 or fd00::11.")
        }
        return address
    }
}

/// A scheduler that the kernel can have.
enum SchedulerArgument {
    @Sendable static func parse(_ text: String) throws -> Scheduler {
        guard let scheduler = Scheduler.known.first(where: { $0.rawValue == text }) else {
            throw ValidationError("the schedulers are \(Scheduler.known.map(\.rawValue).joined(separator: ", ")).")
        }
        return scheduler
    }
}
