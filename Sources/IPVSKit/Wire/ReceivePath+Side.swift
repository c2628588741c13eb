import CNetlink

extension ReceivePath {
    /// Reads bytes as the contents of `/proc/net/ip_vs_conn`, line by line, as the stream of connections does.
    ///
    /// - Returns: the number of lines that are not connections.
    public static func parseConnections(
        _ text: UnsafeRawBufferPointer, connection: (Connection) -> Void
    ) -> Int {
        var refused = 0
        text.withMemoryRebound(to: UInt8.self) { bytes in
            for line in bytes.split(separator: UInt8(ascii: "\n")) {
                if let parsed = Connection(line: UnsafeBufferPointer(rebasing: line)) {
                    connection(parsed)
                } else {
                    refused += 1
                }
            }
        }
        return refused
    }

    /// Reads bytes as an answer of the older interface: as services, and as the destinations of one service. The first
    /// four bytes give their number, as in the kernel's structure.
    ///
    /// - Returns: the destinations; nil if there are fewer, or if this interface cannot describe all of them.
    public static func parseSocketOptions(
        _ reply: UnsafeRawBufferPointer, service: (VirtualService.ID, Int) -> Void
    ) -> [Destination]? {
        var reading = SocketReading()
        reading.take(services: reply)
        for entry in reading.services { service(VirtualService.ID(entry), Int(entry.num_dests)) }
        reading.take(destinations: reply)
        let count = reply.count >= 4 ? Int(reply.loadUnaligned(as: UInt32.self)) : 0
        return reading.destinations(from: 0, count: count).map { Array($0.values) }
    }
}
