import CNetlink
import Netlink

extension MessageWriter {
    /// Writes changes, each as one message.
    mutating func write(_ changes: [Change], _ range: Range<Int>) {
        for index in range { write(changes[index]) }
    }

    @inline(__always) private mutating func write(_ change: Change) {
        switch change {
        case .createService(let service):
            message(IPVS_CMD_NEW_SERVICE) { $0.writeService(service) }
        case .updateService(let service):
            writeUpdate(service)
        case .deleteService(let id):
            message(IPVS_CMD_DEL_SERVICE) { $0.writeIdentity(id) }
        case .createDestination(let destination, let id):
            message(IPVS_CMD_NEW_DEST) {
                $0.writeIdentity(id)
                $0.writeDestination(destination)
            }
        case .updateDestination(let destination, let id):
            message(IPVS_CMD_SET_DEST) {
                $0.writeIdentity(id)
                $0.writeDestination(destination)
            }
        case .deleteDestination(let destination, let id):
            message(IPVS_CMD_DEL_DEST) {
                $0.writeIdentity(id)
                $0.nest(IPVS_CMD_ATTR_DEST) { $0.writeKey(destination) }
            }
        }
    }

    /// - Parameters:
    ///   - mask: the flags to change; the others stay as the kernel has them.
    ///   - unknown: attributes of the service that this library does not know, to be written back.
    mutating func writeUpdate(
        _ service: VirtualService, flags mask: UInt32 = .max, keeping unknown: [UnknownAttribute] = []
    ) {
        message(IPVS_CMD_SET_SERVICE) { $0.writeService(service, flags: mask, keeping: unknown) }
    }

    /// - Parameter unknown: attributes of the destination that this library does not know, to be written back.
    mutating func writeUpdate(
        _ destination: Destination, of id: VirtualService.ID, keeping unknown: [UnknownAttribute]
    ) {
        message(IPVS_CMD_SET_DEST) {
            $0.writeIdentity(id)
            $0.writeDestination(destination, keeping: unknown)
        }
    }

    /// A request for services (`IPVS_CMD_GET_SERVICE`) or for one, or for the destinations of one.
    mutating func writeServiceDump() { message(IPVS_CMD_GET_SERVICE, flags: NetlinkFlags.dump) { _ in } }
    mutating func writeServiceRequest(_ id: VirtualService.ID) {
        message(IPVS_CMD_GET_SERVICE) { $0.writeIdentity(id) }
    }
    mutating func writeDestinationDump(of id: VirtualService.ID) {
        message(IPVS_CMD_GET_DEST, flags: NetlinkFlags.dump) { $0.writeIdentity(id) }
    }

    /// A request to create a service that the kernel always refuses with EINVAL, since IPv6 has no netmask of this
    /// length. The kernel looks for the scheduler first, and answers ENOENT if it does not exist.
    mutating func writeProbe(of scheduler: Scheduler) {
        message(IPVS_CMD_NEW_SERVICE) { writer in
            writer.nest(IPVS_CMD_ATTR_SERVICE) { nest in
                nest.writeKey(.firewallMark(FirewallMark(rawValue: .max)!, .ipv6))
                nest.put(IPVS_SVC_ATTR_SCHED_NAME, string: scheduler.rawValue)
                nest.put(IPVS_SVC_ATTR_FLAGS, UInt64(0))
                nest.put(IPVS_SVC_ATTR_TIMEOUT, UInt32(0))
                nest.put(IPVS_SVC_ATTR_NETMASK, UInt32(0))
            }
        }
    }

    mutating func writeFlush() { message(IPVS_CMD_FLUSH) { _ in } }
    /// - Parameter id: nil for all services and the totals.
    mutating func writeZero(_ id: VirtualService.ID?) {
        message(IPVS_CMD_ZERO) { writer in
            if let id { writer.writeIdentity(id) }
        }
    }
    mutating func writeInfoRequest() { message(IPVS_CMD_GET_INFO) { _ in } }

    mutating func writeTimeoutsRequest() { message(IPVS_CMD_GET_CONFIG) { _ in } }
    mutating func write(_ timeouts: Timeouts) {
        message(IPVS_CMD_SET_CONFIG) { writer in
            if let seconds = timeouts.tcpSeconds { writer.put(IPVS_CMD_ATTR_TIMEOUT_TCP, seconds) }
            if let seconds = timeouts.tcpFinSeconds { writer.put(IPVS_CMD_ATTR_TIMEOUT_TCP_FIN, seconds) }
            if let seconds = timeouts.udpSeconds { writer.put(IPVS_CMD_ATTR_TIMEOUT_UDP, seconds) }
        }
    }

    mutating func writeDaemonDump() { message(IPVS_CMD_GET_DAEMON, flags: NetlinkFlags.dump) { _ in } }
    mutating func writeStop(_ role: SyncDaemon.Role, syncID: UInt32) {
        message(IPVS_CMD_DEL_DAEMON) { writer in
            writer.nest(IPVS_CMD_ATTR_DAEMON) {
                $0.put(IPVS_DAEMON_ATTR_STATE, role.rawValue)
                $0.put(IPVS_DAEMON_ATTR_SYNC_ID, syncID)
            }
        }
    }
    mutating func writeStart(_ daemon: SyncDaemon) {
        message(IPVS_CMD_NEW_DAEMON) { writer in
            writer.nest(IPVS_CMD_ATTR_DAEMON) { nest in
                nest.put(IPVS_DAEMON_ATTR_STATE, daemon.role.rawValue)
                nest.put(IPVS_DAEMON_ATTR_MCAST_IFN, string: daemon.interface)
                nest.put(IPVS_DAEMON_ATTR_SYNC_ID, UInt32(daemon.syncID))
                if let length = daemon.maximumLength { nest.put(IPVS_DAEMON_ATTR_SYNC_MAXLEN, length) }
                if let group = daemon.group {
                    nest.put(
                        group.family == .ipv4 ? IPVS_DAEMON_ATTR_MCAST_GROUP : IPVS_DAEMON_ATTR_MCAST_GROUP6, group)
                }
                // This port is in host byte order, unlike every other port of this interface.
                if let port = daemon.port { nest.put(IPVS_DAEMON_ATTR_MCAST_PORT, port) }
                if let timeToLive = daemon.timeToLive { nest.put(IPVS_DAEMON_ATTR_MCAST_TTL, timeToLive) }
            }
        }
    }

    @inline(__always) private mutating func message(
        _ command: Int, flags: UInt16 = 0, _ body: (inout MessageWriter) -> Void
    ) {
        message(command: UInt8(command), version: Family.version, flags: flags, body)
    }

    @inline(__always) private mutating func writeIdentity(_ id: VirtualService.ID) {
        nest(IPVS_CMD_ATTR_SERVICE) { $0.writeKey(id) }
    }

    @inline(__always) private mutating func writeKey(_ id: VirtualService.ID) {
        put(IPVS_SVC_ATTR_AF, id.family.rawValue)
        switch id {
        case .firewallMark(let mark, _):
            put(IPVS_SVC_ATTR_FWMARK, mark.rawValue)
        case .address(let address, let port, let transport):
            put(IPVS_SVC_ATTR_PROTOCOL, transport.rawValue)
            put(IPVS_SVC_ATTR_ADDR, address)
            put(IPVS_SVC_ATTR_PORT, bigEndian: port)
        }
    }

    @inline(__always) private mutating func writeService(
        _ service: VirtualService, flags mask: UInt32 = .max, keeping unknown: [UnknownAttribute] = []
    ) {
        nest(IPVS_CMD_ATTR_SERVICE) { writer in
            writer.writeKey(service.id)
            writer.put(IPVS_SVC_ATTR_SCHED_NAME, string: service.scheduler.rawValue)
            if let engine = service.persistenceEngine { writer.put(IPVS_SVC_ATTR_PE_NAME, string: engine) }

            // struct ip_vs_flags: the flags, and the mask.
            let persistent = service.persistence == nil ? 0 : VirtualService.Flags.persistent
            writer.put(IPVS_SVC_ATTR_FLAGS, UInt64(service.flags.rawValue | persistent) | UInt64(mask) << 32)

            // The kernel requires both attributes for every service, persistent or not.
            writer.put(IPVS_SVC_ATTR_TIMEOUT, service.persistence?.timeoutSeconds ?? 0)
            let family = service.id.family
            let netmask =
                service.persistence?.netmask?.number(family) ?? VirtualService.Persistence.Netmask.whole(family)
            writer.put(IPVS_SVC_ATTR_NETMASK, family == .ipv4 ? netmask.bigEndian : netmask)
            writer.put(unknown)
        }
    }

    @inline(__always) private mutating func writeKey(_ id: Destination.ID) {
        put(IPVS_DEST_ATTR_ADDR_FAMILY, id.address.family.rawValue)
        put(IPVS_DEST_ATTR_ADDR, id.address)
        put(IPVS_DEST_ATTR_PORT, bigEndian: id.port)
    }

    @inline(__always) private mutating func writeDestination(
        _ destination: Destination, keeping unknown: [UnknownAttribute] = []
    ) {
        nest(IPVS_CMD_ATTR_DEST) { writer in
            writer.writeKey(destination.id)
            writer.put(IPVS_DEST_ATTR_FWD_METHOD, destination.forwarding.rawValue)
            writer.put(IPVS_DEST_ATTR_WEIGHT, destination.weight)
            writer.put(IPVS_DEST_ATTR_U_THRESH, destination.upperThreshold)
            writer.put(IPVS_DEST_ATTR_L_THRESH, destination.lowerThreshold)
            // The kernel's SET replaces the whole destination and sets missing attributes to zero. It keeps tunnel
            // attributes with every forwarding method.
            if destination.forwarding == .tunnel {
                writer.put(IPVS_DEST_ATTR_TUN_TYPE, destination.tunnel.type.rawValue)
                writer.put(IPVS_DEST_ATTR_TUN_PORT, bigEndian: destination.tunnel.port)
                writer.put(IPVS_DEST_ATTR_TUN_FLAGS, destination.tunnel.flags.rawValue)
            }
            writer.put(unknown)
        }
    }

    /// Writes unknown attributes as they were read. A kernel ignores attributes that it does not know.
    @inline(__always) private mutating func put(_ attributes: [UnknownAttribute]) {
        for attribute in attributes {
            attribute.bytes.withUnsafeBytes { put(Int(attribute.type), bytes: $0) }
        }
    }

    @inline(__always) private mutating func put(_ type: Int, _ address: IPAddress) {
        switch address.storage {
        case .ipv4(let number): put(type, bigEndian: number)
        case .ipv6(let number): put(type, bigEndian: number)
        }
    }
}
