import IPVSKit
import SystemPackage

/// Reads the connections of the programs in the network namespace of the calling thread.
enum OpenSockets {
    /// The connections that may still transfer data. UDP has none.
    ///
    /// - Throws: the errno if a file of the kernel exists and cannot be read.
    static func connections(_ transport: TransportProtocol) throws(Errno) -> Set<SocketTable.Connection> {
        var found: Set<SocketTable.Connection> = []
        switch transport {
        case .tcp:
            for file in ["tcp", "tcp6"] {
                if let text = try Listeners.text(of: file) { found.formUnion(SocketTable.connections(text)) }
            }
        case .sctp:
            if let text = try Listeners.text(of: "sctp/assocs") { found.formUnion(SocketTable.sctpConnections(text)) }
        default: break
        }
        return found
    }
}
