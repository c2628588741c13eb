import Netlink
import SystemPackage

extension IPVS {
    /// The error for an errno with which the kernel answered a change.
    ///
    /// ENOENT stands for a scheduler and for a persistence engine that there is no module of. So where a service has an
    /// engine the kernel is asked for the scheduler alone.
    func refusal(_ failure: BatchOutcome.Failure, of change: Change) async -> IPVSError {
        var error = IPVSError(failure.errno, answering: change)
        error.explain(by: failure.message)
        guard error.code == .schedulerNotFound, let service = change.service, let engine = service.persistenceEngine
        else { return error }
        switch await has(service.scheduler) {
        case true?:
            error.code = .persistenceEngineNotFound
            error.hint = "the kernel has no module ip_vs_pe_\(engine)"
        case false?: error.hint = "the kernel has no module ip_vs_\(service.scheduler)"
        case nil: break
        }
        return error
    }

    /// Whether the kernel has a scheduler; nil if its answer does not show it. Nothing is changed.
    private func has(_ scheduler: Scheduler) async -> Bool? {
        // "none" is the kernel's name for a service without a scheduler; it needs no module.
        if scheduler == "none" { return true }
        let outcome = try? await client.send(Messages { $0.writeProbe(of: scheduler) }, deadline: deadline)
        return switch outcome?.failures.first?.errno {
        case .invalidArgument?: true
        case .noSuchFileOrDirectory?: false
        default: nil
        }
    }
}

extension Change {
    fileprivate var service: VirtualService? {
        switch self {
        case .createService(let service), .updateService(let service): service
        default: nil
        }
    }
}
