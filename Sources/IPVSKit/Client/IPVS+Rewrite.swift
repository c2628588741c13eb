import Netlink
import SystemPackage

/// Changes of one object in more words than a ``Change`` has: flags by a mask, and attributes that have no name here.
extension IPVS {
    /// - Parameters:
    ///   - mask: which flags are meant.
    ///   - found: the service as it was read, whose other flags stay; nil where it was not.
    ///   - unknown: what the service has beside, and is to keep.
    func rewrite(
        _ service: VirtualService, flags mask: VirtualService.Flags, replacing found: VirtualService? = nil,
        keeping unknown: [UnknownAttribute] = []
    ) async throws(IPVSError) {
        var outcome = service
        outcome.flags = service.flags.intersection(mask).union((found?.flags ?? []).subtracting(mask))
        try check(outcome.objection(replacing: found), .updateService(service))
        // That a service is persistent is a flag, too, and goes with the timeout: it is always meant.
        let written = mask.rawValue | VirtualService.Flags.persistent
        let message = Messages { $0.writeUpdate(service, flags: written, keeping: unknown) }
        try await send(message, as: .updateService(service))
    }

    /// - Parameters:
    ///   - found: the destination as it was read.
    ///   - unknown: what the destination has beside, and is to keep.
    func rewrite(
        _ destination: Destination, of id: VirtualService.ID, replacing found: Destination,
        keeping unknown: [UnknownAttribute]
    ) async throws(IPVSError) {
        try check(destination.objection(of: id, replacing: found), .updateDestination(destination, of: id))
        let message = Messages { $0.writeUpdate(destination, of: id, keeping: unknown) }
        try await send(message, as: .updateDestination(destination, of: id))
    }

    private func check(_ objection: String?, _ change: Change) throws(IPVSError) {
        if let objection { throw report(IPVSError(refusing: change.description, objection)) }
    }

    /// - Parameter change: what the message comes to, for errors.
    private func send(_ message: Messages, as change: Change) async throws(IPVSError) {
        let failure: BatchOutcome.Failure?
        do throws(NetlinkError) {
            let outcome = try await client.send(message, deadline: deadline)
            if let interruption = outcome.interruption { throw .interrupted(interruption) }
            failure = outcome.failures.first
        } catch {
            throw report(IPVSError(error, operation: change.description))
        }
        if let failure { throw report(await refusal(failure, of: change)) }
    }
}
