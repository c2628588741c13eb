import Netlink
import SystemPackage

/// Changes of one object in more words than a ``Change`` has: flags by a mask, and attributes that have no name here.
extension IPVS {
    /// - Parameters:
    ///   - mask: which flags are meant.
    ///   - unknown: what the service has beside, and is to keep.
    func rewrite(
        _ service: VirtualService, flags mask: VirtualService.Flags, keeping unknown: [UnknownAttribute]
    ) async throws(IPVSError) {
        // That a service is persistent is a flag, too, and goes with the timeout: it is always meant.
        let written = mask.rawValue | VirtualService.Flags.persistent
        let message = Messages { $0.writeUpdate(service, flags: written, keeping: unknown) }
        try await send(message, as: .updateService(service))
    }

    /// - Parameter unknown: what the destination has beside, and is to keep.
    func rewrite(
        _ destination: Destination, of id: VirtualService.ID, keeping unknown: [UnknownAttribute]
    ) async throws(IPVSError) {
        let message = Messages { $0.writeUpdate(destination, of: id, keeping: unknown) }
        try await send(message, as: .updateDestination(destination, of: id))
    }

    /// - Parameter change: what the message comes to, for errors.
    private func send(_ message: Messages, as change: Change) async throws(IPVSError) {
        do throws(IPVSError) { try Change.validate([change]) } catch { throw report(error) }
        let failure: Errno?
        do throws(NetlinkError) {
            let outcome = try await client.send(message, deadline: deadline)
            if let interruption = outcome.interruption { throw .interrupted(interruption) }
            failure = outcome.failures.first?.errno
        } catch {
            throw report(IPVSError(error, operation: change.description))
        }
        if let failure { throw report(IPVSError(failure, answering: change)) }
    }
}
