import CNetlink
public import IPVSKit
public import SystemPackage

/// One message by which a simulated kernel answers.
///
/// The kernel answers a request for data with the data and then ``acknowledgement``, a dump with any number of entries
/// and then ``done``, a change with ``acknowledgement`` alone, and a request that it refuses with ``error(_:)`` alone.
public struct SimulatedReply: Sendable {
    enum Content: Sendable {
        case message(SimulatedRequest.Command, attributes: [UInt8])
        case acknowledgement
        case error(Errno)
        case done
        case nothing
        case datagram([UInt8])
    }

    let content: Content

    /// Success. Like the kernel, it sends nothing unless the request asks for an acknowledgement.
    public static let acknowledgement = Self(content: .acknowledgement)
    /// The end of a dump.
    public static let done = Self(content: .done)
    /// No reply: as the only one, it makes the client wait until its deadline.
    public static let nothing = Self(content: .nothing)
    /// Bytes that are not netlink.
    public static let malformed = Self(content: .datagram([7, 0, 0, 0, 7, 7, 7]))

    /// The kernel refuses the request.
    public static func error(_ errno: Errno) -> Self { Self(content: .error(errno)) }

    /// A message of IPVS.
    ///
    /// - Parameters:
    ///   - command: the command of the message; the kernel sends services as ``SimulatedRequest/Command/newService``,
    ///     and so on.
    ///   - attributes: the attributes behind the two headers.
    public static func payload(_ command: SimulatedRequest.Command, _ attributes: [UInt8]) -> Self {
        Self(content: .message(command, attributes: attributes))
    }

    /// A whole datagram with its headers, for replies that the others cannot express.
    public static func datagram(_ bytes: [UInt8]) -> Self { Self(content: .datagram(bytes)) }

    /// A service with its counters. Its destinations are the answer to another request.
    public static func service(_ summary: VirtualServiceSummary) -> Self {
        service(
            summary.id, ServiceSpecification(summary.service), summary.statistics, unknown: summary.unknownAttributes)
    }

    /// A destination with its counters.
    public static func destination(_ status: DestinationStatus) -> Self {
        let destination = status.destination
        return payload(
            .newDestination,
            .written { writer in
                writer.nest(IPVS_CMD_ATTR_DEST) { nest in
                    nest.put(IPVS_DEST_ATTR_ADDR, destination.id.address)
                    nest.put(IPVS_DEST_ATTR_PORT, destination.id.port.bigEndian)
                    nest.put(IPVS_DEST_ATTR_FWD_METHOD, destination.forwarding.rawValue)
                    nest.put(IPVS_DEST_ATTR_WEIGHT, destination.weight)
                    nest.put(IPVS_DEST_ATTR_U_THRESH, destination.upperThreshold)
                    nest.put(IPVS_DEST_ATTR_L_THRESH, destination.lowerThreshold)
                    nest.put(IPVS_DEST_ATTR_ACTIVE_CONNS, status.activeConnections)
                    nest.put(IPVS_DEST_ATTR_INACT_CONNS, status.inactiveConnections)
                    nest.put(IPVS_DEST_ATTR_PERSIST_CONNS, status.persistentConnections)
                    nest.put(IPVS_DEST_ATTR_ADDR_FAMILY, destination.id.address.family.rawValue)
                    nest.put(IPVS_DEST_ATTR_TUN_TYPE, destination.tunnel.type.rawValue)
                    nest.put(IPVS_DEST_ATTR_TUN_PORT, destination.tunnel.port.bigEndian)
                    nest.put(IPVS_DEST_ATTR_TUN_FLAGS, destination.tunnel.flags.rawValue)
                    nest.put(
                        narrow: IPVS_DEST_ATTR_STATS, wide: IPVS_DEST_ATTR_STATS64, status.statistics)
                    nest.put(status.unknownAttributes)
                }
            })
    }

    /// The timeouts. A timeout that is nil is left out, as by a kernel without the protocol.
    public static func timeouts(_ timeouts: Timeouts) -> Self {
        payload(
            .setConfiguration,
            .written { writer in
                if let seconds = timeouts.tcpSeconds { writer.put(IPVS_CMD_ATTR_TIMEOUT_TCP, seconds) }
                if let seconds = timeouts.tcpFinSeconds { writer.put(IPVS_CMD_ATTR_TIMEOUT_TCP_FIN, seconds) }
                if let seconds = timeouts.udpSeconds { writer.put(IPVS_CMD_ATTR_TIMEOUT_UDP, seconds) }
            })
    }

    /// The version of IPVS and the size of its connection table.
    ///
    /// - Parameters:
    ///   - version: 0x010201 is 1.2.1, the version of every kernel since 2008.
    ///   - connectionTableSize: the number of buckets of the connection table.
    public static func info(version: UInt32 = 0x01_0201, connectionTableSize: UInt32 = 4096) -> Self {
        payload(
            .setInfo,
            .written { writer in
                writer.put(IPVS_INFO_ATTR_VERSION, version)
                writer.put(IPVS_INFO_ATTR_CONN_TAB_SIZE, connectionTableSize)
            })
    }

    /// A sync daemon.
    public static func daemon(_ daemon: SyncDaemon) -> Self {
        payload(
            .newDaemon,
            .written { writer in
                writer.nest(IPVS_CMD_ATTR_DAEMON) { nest in
                    nest.put(IPVS_DAEMON_ATTR_STATE, daemon.role.rawValue)
                    nest.put(IPVS_DAEMON_ATTR_MCAST_IFN, string: daemon.interface)
                    nest.put(IPVS_DAEMON_ATTR_SYNC_ID, UInt32(daemon.syncID))
                    if let length = daemon.maximumLength { nest.put(IPVS_DAEMON_ATTR_SYNC_MAXLEN, length) }
                    if let port = daemon.port { nest.put(IPVS_DAEMON_ATTR_MCAST_PORT, port) }
                    if let timeToLive = daemon.timeToLive { nest.put(IPVS_DAEMON_ATTR_MCAST_TTL, timeToLive) }
                    switch daemon.group?.storage {
                    case .ipv4(let number)?: nest.put(IPVS_DAEMON_ATTR_MCAST_GROUP, number.bigEndian)
                    case .ipv6(let number)?: nest.put(IPVS_DAEMON_ATTR_MCAST_GROUP6, number.bigEndian)
                    case nil: break
                    }
                }
            })
    }

    static func service(
        _ id: VirtualService.ID, _ specification: ServiceSpecification, _ statistics: Statistics,
        unknown: [UnknownAttribute] = []
    ) -> Self {
        payload(
            .newService,
            .written { writer in
                writer.nest(IPVS_CMD_ATTR_SERVICE) { nest in
                    nest.put(IPVS_SVC_ATTR_AF, id.family.rawValue)
                    switch id {
                    case .firewallMark(let mark, _):
                        nest.put(IPVS_SVC_ATTR_FWMARK, mark.rawValue)
                    case .address(let address, let port, let transport):
                        nest.put(IPVS_SVC_ATTR_PROTOCOL, transport.rawValue)
                        nest.put(IPVS_SVC_ATTR_ADDR, address)
                        nest.put(IPVS_SVC_ATTR_PORT, port.bigEndian)
                    }
                    nest.put(IPVS_SVC_ATTR_SCHED_NAME, string: specification.scheduler)
                    if let engine = specification.engine { nest.put(IPVS_SVC_ATTR_PE_NAME, string: engine) }
                    nest.put(IPVS_SVC_ATTR_FLAGS, bytes: Bytes.of(specification.flags) + Bytes.of(UInt32.max))
                    nest.put(IPVS_SVC_ATTR_TIMEOUT, specification.timeoutSeconds)
                    nest.put(IPVS_SVC_ATTR_NETMASK, specification.netmask)
                    nest.put(narrow: IPVS_SVC_ATTR_STATS, wide: IPVS_SVC_ATTR_STATS64, statistics)
                    nest.put(unknown)
                }
            })
    }
}

extension [UInt8] {
    fileprivate static func written(_ body: (inout AttributeWriter) -> Void) -> [UInt8] {
        AttributeWriter.written(body)
    }
}

extension AttributeWriter {
    fileprivate mutating func put(_ attributes: [UnknownAttribute]) {
        for attribute in attributes { put(Int(attribute.type), bytes: attribute.bytes) }
    }

    /// The counters twice, as the kernel sends them: in 32 bits, which wrap, and in 64 bits.
    fileprivate mutating func put(narrow: Int, wide: Int, _ statistics: Statistics) {
        let counters: [(type: Int, value: UInt64)] = [
            (IPVS_STATS_ATTR_CONNS, statistics.connections), (IPVS_STATS_ATTR_INPKTS, statistics.incomingPackets),
            (IPVS_STATS_ATTR_OUTPKTS, statistics.outgoingPackets), (IPVS_STATS_ATTR_INBYTES, statistics.incomingBytes),
            (IPVS_STATS_ATTR_OUTBYTES, statistics.outgoingBytes), (IPVS_STATS_ATTR_CPS, statistics.connectionRate),
            (IPVS_STATS_ATTR_INPPS, statistics.incomingPacketRate),
            (IPVS_STATS_ATTR_OUTPPS, statistics.outgoingPacketRate),
            (IPVS_STATS_ATTR_INBPS, statistics.incomingByteRate), (IPVS_STATS_ATTR_OUTBPS, statistics.outgoingByteRate),
        ]
        nest(narrow) { nest in
            for (type, value) in counters {
                // Byte counters have 64 bits even here.
                if type == IPVS_STATS_ATTR_INBYTES || type == IPVS_STATS_ATTR_OUTBYTES {
                    nest.put(type, value)
                } else {
                    nest.put(type, UInt32(truncatingIfNeeded: value))
                }
            }
        }
        nest(wide) { nest in
            for (type, value) in counters { nest.put(type, value) }
        }
    }
}
