import CNetlink

extension ReceivePath {
    /// Reads what is in `/proc/net/ip_vs_conn`, or is not: line by line, as the stream of connections does.
    ///
    /// - Returns: how many lines were no connection.
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

    /// Reads what the older interface answers: the bytes as services, and as the destinations of one. How many there
    /// are the first four bytes say, as the kernel does.
    ///
    /// - Returns: the destinations; nil where there are not so many, or where they are not such that this interface
    ///   tells all of them.
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
