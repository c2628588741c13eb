import ArgumentParser
import IPVSKit
import RuleKit

/// `1080:80` or `1080:80/udp`: the port to publish and the port in the task.
struct PublishArgument: Sendable {
    var listening: TransportPort
    var target: UInt16

    @Sendable static func parse(_ text: String) throws -> Self {
        let (ports, transport) = try PortText.splitProtocol(text)
        let parts = ports.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 2 else {
            throw ValidationError("write the published port and the task's port with a colon between, as in 1080:80.")
        }
        return Self(
            listening: TransportPort(try PortText.port(parts[0]), transport), target: try PortText.port(parts[1]))
    }
}

/// `1080` or `1080/udp`.
enum PortArgument {
    @Sendable static func parse(_ text: String) throws -> TransportPort {
        let (port, transport) = try PortText.splitProtocol(text)
        return TransportPort(try PortText.port(port), transport)
    }
}

private enum PortText {
    static func splitProtocol(_ text: String) throws -> (Substring, TransportProtocol) {
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2 else { return (text[...], .tcp) }
        guard let transport = TransportProtocol(String(parts[1])), [.tcp, .udp].contains(transport) else {
            throw ValidationError(
                "\(parts[1].debugDescription) is no protocol that can be published; it is tcp or udp.")
        }
        return (parts[0], transport)
    }

    static func port(_ text: Substring) throws -> UInt16 {
        // UInt16 alone would take "+80".
        guard text.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }), let port = UInt16(text),
            port != 0
        else {
            throw ValidationError("\(text.debugDescription) is no port; ports are the numbers from 1 to 65535.")
        }
        return port
    }
}
