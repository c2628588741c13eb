import IPVSKit

/// Parses the listening sockets in `/proc/net/{tcp,udp}{,6}` and `/proc/net/sctp/eps`, and the connections in
/// `/proc/net/tcp{,6}` and `/proc/net/sctp/assocs`. Pure: from their text.
enum SocketTable {
    struct Entry: Hashable {
        var address: IPAddress
        var port: UInt16
        /// The inode of the socket; 0 for a socket of the kernel's own.
        var inode: UInt64
    }

    /// Parses `tcp`, `tcp6`, `udp` or `udp6`.
    static func entries(_ transport: TransportProtocol, _ text: String) -> [Entry] {
        // The states are TCP_LISTEN for TCP and TCP_CLOSE for UDP, the state of a datagram socket that is not
        // connected.
        let state = transport == .tcp ? "0A" : "07"
        return text.split(separator: "\n").dropFirst().compactMap { line in
            let fields = line.split(separator: " ", maxSplits: 10)
            guard fields.count >= 10, fields[3] == state, let (address, port) = endpoint(fields[1]), port != 0,
                let inode = UInt64(fields[9])
            else { return nil }
            return Entry(address: address, port: port, inode: inode)
        }
    }

    /// Parses `sctp/eps`. An endpoint may have several addresses.
    static func sctpEntries(_ text: String) -> [Entry] {
        text.split(separator: "\n").dropFirst().flatMap { line -> [Entry] in
            let fields = line.split(separator: " ")
            // The columns are ENDPT SOCK STY SST HBKT LPORT UID INODE LADDRS…; SST 10 means listening.
            guard fields.count >= 9, fields[3] == "10", let port = UInt16(fields[5]), port != 0,
                let inode = UInt64(fields[7])
            else { return [] }
            return fields[8...].compactMap { IPAddress(String($0)).map(unmapped) }
                .map { Entry(address: $0, port: port, inode: inode) }
        }
    }

    /// The two ends of a connection, as a socket knows them.
    struct Connection: Hashable {
        var local: Destination.ID
        var remote: Destination.ID
    }

    /// Parses the connections in `tcp` or `tcp6` that may still transfer data.
    static func connections(_ text: String) -> [Connection] {
        // TIME_WAIT, CLOSE and LISTEN.
        let others: Set<Substring> = ["06", "07", "0A"]
        return text.split(separator: "\n").dropFirst().compactMap { line in
            let fields = line.split(separator: " ", maxSplits: 4)
            guard fields.count >= 4, !others.contains(fields[3]), let local = endpoint(fields[1]),
                let remote = endpoint(fields[2])
            else { return nil }
            return Connection(local: .init(local.0, port: local.1), remote: .init(remote.0, port: remote.1))
        }
    }

    /// Parses the associations in `sctp/assocs` that may still transfer data. An association may have several addresses
    /// at each end; each pair of them is a connection.
    static func sctpConnections(_ text: String) -> [Connection] {
        text.split(separator: "\n").dropFirst().flatMap { line -> [Connection] in
            let fields = line.split(whereSeparator: \.isWhitespace)
            // The columns are ASSOC SOCK STY SST ST HBKT ASSOC-ID TX_QUEUE RX_QUEUE UID INODE LPORT RPORT LADDRS… <->
            // RADDRS… and numbers; ST 0 means closed, and a star marks the primary address.
            guard fields.count >= 14, fields[4] != "0", let localPort = UInt16(fields[11]),
                let remotePort = UInt16(fields[12]), let middle = fields[13...].firstIndex(of: "<->")
            else { return [] }
            func addresses(_ words: ArraySlice<Substring>) -> [IPAddress] {
                words.compactMap { IPAddress(String($0.first == "*" ? $0.dropFirst() : $0)).map(unmapped) }
            }
            let remotes = addresses(fields[(middle + 1)...].prefix { $0.contains(".") || $0.contains(":") })
            return addresses(fields[13..<middle]).flatMap { local in
                remotes.map {
                    Connection(local: .init(local, port: localPort), remote: .init($0, port: remotePort))
                }
            }
        }
    }

    /// Parses `0100007F:0016`: the address in 32-bit words in the processor's byte order, and the port as a number.
    private static func endpoint(_ text: Substring) -> (IPAddress, UInt16)? {
        guard let colon = text.firstIndex(of: ":"), let port = UInt16(text[text.index(after: colon)...], radix: 16)
        else { return nil }
        var digits = text[..<colon]
        guard digits.count == 8 || digits.count == 32 else { return nil }
        var words: [UInt32] = []
        while !digits.isEmpty {
            guard let word = UInt32(digits.prefix(8), radix: 16) else { return nil }
            words.append(UInt32(bigEndian: word))
            digits = digits.dropFirst(8)
        }
        if words.count == 1 { return (IPAddress(ipv4: words[0]), port) }
        return (unmapped(IPAddress(ipv6: words.reduce(0) { $0 << 32 | UInt128($1) })), port)
    }

    /// An IPv6 socket that is bound to `::ffff:10.0.0.1` receives IPv4 packets, so its address is treated as IPv4.
    private static func unmapped(_ address: IPAddress) -> IPAddress {
        guard case .ipv6(let number) = address.storage, address.isIPv4Mapped else { return address }
        return IPAddress(ipv4: UInt32(truncatingIfNeeded: number))
    }
}
