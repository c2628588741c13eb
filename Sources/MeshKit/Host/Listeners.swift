package import IPVSKit
import Netlink
package import SystemPackage

/// Reads the listening sockets in the network namespace of the calling thread.
package enum Listeners {
    /// The sockets that listen on the ports, with their owners as far as those can be seen.
    ///
    /// - Throws: the errno if a file of the kernel exists and cannot be read. Without IPv6 or SCTP its file does not
    ///   exist, and nobody listens.
    package static func read(
        transport: TransportProtocol, ports: ClosedRange<UInt16>
    ) throws(Errno) -> [Listener] {
        let found = try entries(transport).filter { ports.contains($0.port) }
        let owners = SocketOwners.find(Set(found.map(\.inode)).subtracting([0]))
        let listeners = found.map {
            Listener(transport: transport, address: $0.address, port: $0.port, process: owners[$0.inode])
        }
        // Sockets of UDP that the agent has bound only hold published ports. Those of TCP do not listen.
        return transport == .udp ? listeners.filter { $0.process?.name != "meshctl" } : listeners
    }

    private static func entries(_ transport: TransportProtocol) throws(Errno) -> [SocketTable.Entry] {
        var entries: [SocketTable.Entry] = []
        switch transport {
        case .tcp, .udp:
            for file in ["\(transport)", "\(transport)6"] {
                if let text = try text(of: file) { entries += SocketTable.entries(transport, text) }
            }
        case .sctp:
            if let text = try text(of: "sctp/eps") { entries += SocketTable.sctpEntries(text) }
        default: break
        }
        return entries
    }

    /// The text of a file; nil if it does not exist.
    static func text(of file: String) throws(Errno) -> String? {
        do throws(Errno) {
            return try ProcFile.text(FilePath("/proc/thread-self/net").appending(file))
        } catch  where error == .noSuchFileOrDirectory {
            return nil
        }
    }
}
