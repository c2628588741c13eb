import IPVSKit
import MeshKit
import Netlink
import RuleKit
import SystemPackage

/// Whether the programs of a container serve, by the sockets in its network namespace. One that has been told to end,
/// and takes its time for connections that are open, has closed the sockets at which new ones arrive.
enum ListeningPorts {
    /// Looks at the namespace of a process.
    ///
    /// - Parameter ports: the ports at which others reach the container; empty if nobody knows them.
    static func isListening(in process: Int32, at ports: [FoundTask.Port]) -> Bool {
        func isTable(_ transport: TransportProtocol, listeningAt targets: [UInt16]) -> Bool {
            ["\(transport)", "\(transport)6"].contains { file in
                // In doubt a container that was told to end gets no new connections.
                let text = (try? ProcFile.text(FilePath("/proc/\(process)/net/\(file)"))) ?? ""
                return isListening(text, isUDP: transport == .udp, at: targets)
            }
        }
        guard !ports.isEmpty else { return isTable(.tcp, listeningAt: []) }
        return [TransportProtocol.tcp, .udp].contains { transport in
            let targets = ports.filter { $0.listening.transport == transport }.map(\.target)
            return !targets.isEmpty && isTable(transport, listeningAt: targets)
        }
    }

    /// Whether a socket in a table of the kernel waits for clients at one of the ports, or, if there are none, at any
    /// port. The sockets at loopback addresses are no other's: an engine's own name server has one there.
    ///
    /// - Parameter text: the text of `/proc/net/tcp` or its like.
    static func isListening(_ text: String, isUDP: Bool, at ports: [UInt16]) -> Bool {
        text.split(separator: "\n").dropFirst().contains { line in
            // The columns are sl, local_address, rem_address and st, whose 0A is TCP_LISTEN; 07 stands for a socket of
            // UDP that is not connected. An address is in words of the processor's byte order.
            let fields = line.split(separator: " ", maxSplits: 4)
            guard fields.count >= 4, fields[3] == (isUDP ? "07" : "0A") else { return false }
            let parts = fields[1].split(separator: ":")
            guard parts.count == 2, let port = UInt16(parts[1], radix: 16) else { return false }
            return ports.isEmpty ? !isLoopback(parts[0]) : ports.contains(port)
        }
    }

    private static func isLoopback(_ digits: Substring) -> Bool {
        guard let word = UInt32(digits.suffix(8), radix: 16) else { return false }
        let last = UInt32(bigEndian: word)
        switch digits.count {
        case 8: return last >> 24 == 127
        case 32: return digits.dropLast(8).allSatisfy { $0 == "0" } && last == 1
        default: return false
        }
    }
}
