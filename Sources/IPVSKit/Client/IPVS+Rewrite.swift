import Netlink
import SystemPackage

/// Changes of one object that a ``Change`` cannot express: flags with a mask, and attributes that this library does not
/// know.
extension IPVS {
    /// - Parameters:
    ///   - mask: the flags to change.
    ///   - found: the service as it was read, for its flags outside the mask; nil if it was not read.
    ///   - unknown: attributes of the service that this library does not know, to be written back.
    func rewrite(
        _ service: VirtualService, flags mask: VirtualService.Flags, replacing found: VirtualService? = nil,
        keeping unknown: [UnknownAttribute] = []
    ) async throws(IPVSError) {
        var outcome = service
        outcome.flags = service.flags.intersection(mask).union((found?.flags ?? []).subtracting(mask))
        try check(outcome.objection(replacing: found), .updateService(service))
        // Persistence is a flag on the wire, too. It belongs to the timeout and is therefore always in the mask.
        let written = mask.rawValue | VirtualService.Flags.persistent
        let message = Messages { $0.writeUpdate(service, flags: written, keeping: unknown) }
        try await send(message, as: .updateService(service))
    }

    /// - Parameters:
    ///   - found: the destination as it was read.
    ///   - unknown: attributes of the destination that this library does not know, to be written back.
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

    /// - Parameter change: the change that errors name.
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
