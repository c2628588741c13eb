extension VirtualServiceStatus: CustomStringConvertible {
    /// One line: the service as ``VirtualService/description`` has it, how many destinations, and the counters.
    public var description: String { "\(service): \(destinations.count) destinations, \(statistics)" }
}

extension VirtualServiceSummary: CustomStringConvertible {
    /// One line: the service as ``VirtualService/description`` has it, and the counters.
    public var description: String { "\(service): \(statistics)" }
}

extension DestinationStatus: CustomStringConvertible {
    /// One line: the destination as ``Destination/description`` has it, its connections, and the counters.
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
    /// As ipvsadm sets them: `--set 900 120 300`; 0 for one that is nil, which leaves it as it is.
    public var description: String { "--set \(tcpSeconds ?? 0) \(tcpFinSeconds ?? 0) \(udpSeconds ?? 0)" }
}

extension SyncDaemon: CustomStringConvertible {
    /// As ipvsadm starts it: `--start-daemon master --mcast-interface eth0 --syncid 1`. What is nil is left out.
    public var description: String {
        var text = "--start-daemon \(role) --mcast-interface \(OptionLine.written(name: interface)) --syncid \(syncID)"
        if let maximumLength { text += " --sync-maxlen \(maximumLength)" }
        if let group { text += " --mcast-group \(group)" }
        if let port { text += " --mcast-port \(port)" }
        if let timeToLive { text += " --mcast-ttl \(timeToLive)" }
        return text
    }
}

extension Sequence<VirtualServiceStatus> {
    /// The destinations of all services, each with its service: what `for` goes through, sorts or filters.
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
