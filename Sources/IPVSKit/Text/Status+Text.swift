extension VirtualServiceStatus: CustomStringConvertible {
    /// One line: the service as ``VirtualService/description`` prints it, the number of its destinations, and its counters.
    public var description: String {
        let noun = destinations.count == 1 ? "destination" : "destinations"
        return "\(service): \(destinations.count) \(noun), \(statistics)"
    }
}

extension VirtualServiceSummary: CustomStringConvertible {
    /// One line: the service as ``VirtualService/description`` prints it, and its counters.
    public var description: String { "\(service): \(statistics)" }
}

extension DestinationStatus: CustomStringConvertible {
    /// One line: the destination as ``Destination/description`` prints it, its connections, and its counters.
    public var description: String {
        "\(destination): \(activeConnections) active, \(inactiveConnections) inactive, "
            + "\(persistentConnections) persistent, \(statistics)"
    }
}

extension Statistics: CustomStringConvertible {
    /// One line: `12 connections (1/s), in 80 packets (9/s) 4000 bytes (450/s), out 75 packets (8/s) 90000 bytes (9600/s)`.
    public var description: String {
        "\(connections) connections (\(connectionRate)/s), "
            + "in \(incomingPackets) packets (\(incomingPacketRate)/s) \(incomingBytes) bytes (\(incomingByteRate)/s), "
            + "out \(outgoingPackets) packets (\(outgoingPacketRate)/s) \(outgoingBytes) bytes (\(outgoingByteRate)/s)"
    }
}

extension Timeouts: CustomStringConvertible {
    /// The timeouts as `ipvsadm -L --timeout` lists them: `Timeout (tcp tcpfin udp): 900 120 300`. A timeout that is nil
    /// is shown as `-`.
    public var description: String {
        let seconds = [tcpSeconds, tcpFinSeconds, udpSeconds].map { $0.map(String.init) ?? "-" }
        return "Timeout (tcp tcpfin udp): " + seconds.joined(separator: " ")
    }
}

extension SyncDaemon: CustomStringConvertible {
    /// The daemon as `ipvsadm -L --daemon` lists it: `master sync daemon (mcast=eth0, syncid=1, port=8848)`. A property
    /// that is nil is left out.
    public var description: String {
        var parts = ["mcast=\(OptionLine.written(name: interface))", "syncid=\(syncID)"]
        if let maximumLength { parts.append("maxlen=\(maximumLength)") }
        if let group { parts.append("group=\(group)") }
        if let port { parts.append("port=\(port)") }
        if let timeToLive { parts.append("ttl=\(timeToLive)") }
        return "\(role) sync daemon (\(parts.joined(separator: ", ")))"
    }
}

extension Sequence<VirtualServiceStatus> {
    /// The destinations of all services, each with its service, to iterate over, sort or filter.
    ///
    /// ```swift
    /// for (service, destination) in try await ipvs.status().destinations where destination.activeConnections > 0 {
    ///     print(service.id, destination.id, destination.activeConnections)
    /// }
    /// ```
    public var destinations: [(service: VirtualServiceStatus, destination: DestinationStatus)] {
        flatMap { service in service.destinations.map { (service: service, destination: $0) } }
    }
}
