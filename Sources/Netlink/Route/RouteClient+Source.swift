import CNetlink
import SystemPackage

extension RouteClient {
    /// The source address of a packet that the namespace itself sends to an address, if the sender leaves the choice to
    /// the kernel. Nil if such a packet cannot be sent, or if the namespace has no address for it.
    ///
    /// - Parameter address: the four or sixteen bytes of the address.
    package func source(to address: [UInt8]) async throws(NetlinkError) -> [UInt8]? {
        do throws(NetlinkError) {
            let entry = try await ask(Int(RTM_GETROUTE), header: RouteEntry.question(address, asItStands: false)) {
                $0.put(Int(RTA_DST.rawValue), bytes: address)
            } parse: {
                RouteEntry($0)
            }
            return entry?.source
        } catch {
            guard case .refused = error, RouteEntry.isRefusal(error.errno) || error.errno == .networkUnreachable else {
                throw error
            }
            return nil
        }
    }
}
