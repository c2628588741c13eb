import Netlink
import SystemPackage

extension IPVS {
    /// The counters and rates of the namespace as a whole: `/proc/net/ip_vs_stats`.
    ///
    /// They include the traffic of services that were deleted, and lag by two seconds as all counters do (see
    /// ``Statistics``).
    ///
    /// - Throws: ``IPVSError/Code/unavailable`` if the kernel has no IPVS, ``IPVSError/Code/communication`` if the file
    ///   does not have the expected form.
    public func globalStatistics() async throws(IPVSError) -> Statistics {
        let operation = "read the global statistics"
        let result = try await inNamespaceWithModule(operation) {
            Result { () throws(Errno) in try ProcFile.text("/proc/thread-self/net/ip_vs_stats") }
        }
        switch result {
        case .success(let text):
            guard let statistics = Statistics(globalFile: text) else {
                throw report(
                    IPVSError(
                        .communication, operation: operation,
                        hint: "/proc/net/ip_vs_stats is not two rows of five numbers: \(text.debugDescription)"))
            }
            return statistics
        case .failure(let errno): throw fileError(errno, operation)
        }
    }
}

extension Statistics {
    /// Reads `/proc/net/ip_vs_stats`, which has headings, a row of totals and a row of rates, in hexadecimal. Nil if
    /// there are not exactly these two rows. (`ip_vs_stats_show`; up to Linux 4.0 the numbers had 32 bits.)
    init?(globalFile text: String) {
        let rows = text.split(separator: "\n").compactMap { line -> [UInt64]? in
            let fields = line.split(separator: " ")
            let numbers = fields.compactMap { UInt64(hexadecimal: $0.utf8) }
            return numbers.count == 5 && fields.count == 5 ? numbers : nil
        }
        guard rows.count == 2 else { return nil }
        self.init()
        (connections, incomingPackets, outgoingPackets) = (rows[0][0], rows[0][1], rows[0][2])
        (incomingBytes, outgoingBytes) = (rows[0][3], rows[0][4])
        (connectionRate, incomingPacketRate, outgoingPacketRate) = (rows[1][0], rows[1][1], rows[1][2])
        (incomingByteRate, outgoingByteRate) = (rows[1][3], rows[1][4])
    }
}
