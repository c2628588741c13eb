import CNetlink
import Netlink

extension IPAddress {
    /// The kernel sends 16 bytes for either family (`union nf_inet_addr`), and accepts 4 bytes for IPv4.
    init?(_ attribute: Attribute, family: AddressFamily) {
        switch family {
        case .ipv4:
            guard let number = attribute.bigEndianUInt32 else { return nil }
            self.init(ipv4: number)
        case .ipv6:
            guard attribute.bytes.count >= 16 else { return nil }
            self.init(ipv6: UInt128(bigEndian: attribute.bytes.loadUnaligned(as: UInt128.self)))
        }
    }
}

extension VirtualServiceSummary {
    /// From an `IPVS_CMD_NEW_SERVICE` message; nil where what makes a service is missing.
    init?(_ message: NetlinkMessage) {
        guard var attributes = message.attributes.first(IPVS_CMD_ATTR_SERVICE)?.nested else { return nil }
        var family: AddressFamily?
        var transport = TransportProtocol.tcp
        var address: Attribute?
        var port: UInt16 = 0
        var mark: FirewallMark?
        var scheduler: Scheduler?
        var flags: UInt32 = 0
        var timeout: UInt32 = 0
        var netmask: Attribute?
        var engine: String?
        var statistics = StatisticsReader()
        while let attribute = attributes.next() {
            switch Int(attribute.type) {
            case IPVS_SVC_ATTR_AF: family = attribute.uint16.flatMap(AddressFamily.init)
            case IPVS_SVC_ATTR_PROTOCOL: transport = attribute.uint16.map(TransportProtocol.init) ?? transport
            case IPVS_SVC_ATTR_ADDR: address = attribute
            case IPVS_SVC_ATTR_PORT: port = attribute.bigEndianUInt16 ?? 0
            case IPVS_SVC_ATTR_FWMARK: mark = attribute.uint32.flatMap(FirewallMark.init)
            case IPVS_SVC_ATTR_SCHED_NAME: scheduler = Scheduler(rawValue: attribute.string)
            case IPVS_SVC_ATTR_FLAGS: flags = attribute.uint32 ?? 0
            case IPVS_SVC_ATTR_TIMEOUT: timeout = attribute.uint32 ?? 0
            case IPVS_SVC_ATTR_NETMASK: netmask = attribute
            case IPVS_SVC_ATTR_PE_NAME: engine = attribute.string
            case IPVS_SVC_ATTR_STATS: statistics.read(narrow: attribute.nested)
            case IPVS_SVC_ATTR_STATS64: statistics.read(wide: attribute.nested)
            default: unknownAttributes.append(UnknownAttribute(attribute))
            }
        }
        guard let family, let scheduler, !attributes.isTruncated, !statistics.isTruncated else { return nil }

        let id: VirtualService.ID
        if let mark {
            id = .firewallMark(mark, family)
        } else if let address = address.flatMap({ IPAddress($0, family: family) }) {
            id = .address(address, port: port, protocol: transport)
        } else {
            return nil
        }
        let mask = family == .ipv4 ? netmask?.bigEndianUInt32 : netmask?.uint32
        service = VirtualService(
            id: id, scheduler: scheduler, kernelFlags: flags, timeout: timeout, netmask: mask, engine: engine)
        self.statistics = statistics.result
    }
}

extension VirtualService {
    /// A service in the kernel's form, in which persistence is a flag and two numbers.
    ///
    /// - Parameter netmask: in host byte order; for IPv6 the length of the prefix.
    init(
        id: ID, scheduler: Scheduler, kernelFlags flags: UInt32, timeout: UInt32, netmask: UInt32?,
        engine: String? = nil
    ) {
        var persistence: Persistence?
        if flags & Flags.persistent != 0 {
            persistence = .init(timeoutSeconds: timeout, netmask: netmask.flatMap { .init(number: $0, id.family) })
        }
        self.init(
            id: id, scheduler: scheduler, flags: .init(rawValue: flags), persistence: persistence,
            persistenceEngine: engine)
    }
}

extension DestinationStatus {
    /// From an `IPVS_CMD_NEW_DEST` message; nil where what makes a destination is missing.
    init?(_ message: NetlinkMessage, serviceFamily: AddressFamily) {
        guard var attributes = message.attributes.first(IPVS_CMD_ATTR_DEST)?.nested else { return nil }
        // Kernels before 3.18 do not send the family, which is the service's then.
        var family = serviceFamily
        var address: Attribute?
        var port: UInt16 = 0
        var forwarding = Destination.ForwardingMethod.masquerade
        var weight: UInt32 = 0
        var upper: UInt32 = 0
        var lower: UInt32 = 0
        var tunnel = Destination.Tunnel()
        var active: UInt32 = 0
        var inactive: UInt32 = 0
        var persistent: UInt32 = 0
        var statistics = StatisticsReader()
        while let attribute = attributes.next() {
            switch Int(attribute.type) {
            case IPVS_DEST_ATTR_ADDR: address = attribute
            case IPVS_DEST_ATTR_PORT: port = attribute.bigEndianUInt16 ?? 0
            case IPVS_DEST_ATTR_FWD_METHOD:
                forwarding = .init(rawValue: attribute.uint32 ?? 0)
            case IPVS_DEST_ATTR_WEIGHT: weight = attribute.uint32 ?? 0
            case IPVS_DEST_ATTR_U_THRESH: upper = attribute.uint32 ?? 0
            case IPVS_DEST_ATTR_L_THRESH: lower = attribute.uint32 ?? 0
            case IPVS_DEST_ATTR_ACTIVE_CONNS: active = attribute.uint32 ?? 0
            case IPVS_DEST_ATTR_INACT_CONNS: inactive = attribute.uint32 ?? 0
            case IPVS_DEST_ATTR_PERSIST_CONNS: persistent = attribute.uint32 ?? 0
            case IPVS_DEST_ATTR_ADDR_FAMILY: family = attribute.uint16.flatMap(AddressFamily.init) ?? family
            case IPVS_DEST_ATTR_TUN_TYPE: tunnel.type = .init(rawValue: attribute.uint8 ?? 0)
            case IPVS_DEST_ATTR_TUN_PORT: tunnel.port = attribute.bigEndianUInt16 ?? 0
            case IPVS_DEST_ATTR_TUN_FLAGS: tunnel.flags = .init(rawValue: attribute.uint16 ?? 0)
            case IPVS_DEST_ATTR_STATS: statistics.read(narrow: attribute.nested)
            case IPVS_DEST_ATTR_STATS64: statistics.read(wide: attribute.nested)
            default: unknownAttributes.append(UnknownAttribute(attribute))
            }
        }
        guard let address = address.flatMap({ IPAddress($0, family: family) }), !attributes.isTruncated,
            !statistics.isTruncated
        else {
            return nil
        }
        destination = Destination(
            address, port: port, weight: weight, forwarding: forwarding, upperThreshold: upper, lowerThreshold: lower,
            tunnel: forwarding == .tunnel ? tunnel : .init())
        self.statistics = statistics.result
        activeConnections = active
        inactiveConnections = inactive
        persistentConnections = persistent
    }
}

extension UnknownAttribute {
    fileprivate init(_ attribute: Attribute) {
        self.init(type: attribute.type, bytes: Array(attribute.bytes))
    }
}

/// Reads the counters. The 64-bit ones (`STATS64`, since Linux 4.1) win over the 32-bit ones, which wrap.
private struct StatisticsReader {
    private(set) var result = Statistics()
    /// Whether a nest ended before its last attribute did.
    private(set) var isTruncated = false
    private var hasWide = false

    mutating func read(narrow attributes: Attributes) {
        guard !hasWide else { return }
        // Byte counters have 64 bits even here.
        read(attributes) { $0.bytes.count >= 8 ? $0.uint64 : $0.uint32.map(UInt64.init) }
    }

    mutating func read(wide attributes: Attributes) {
        hasWide = true
        read(attributes) { $0.uint64 }
    }

    private mutating func read(_ attributes: Attributes, value: (Attribute) -> UInt64?) {
        var attributes = attributes
        while let attribute = attributes.next() {
            guard let value = value(attribute) else { continue }
            switch Int(attribute.type) {
            case IPVS_STATS_ATTR_CONNS: result.connections = value
            case IPVS_STATS_ATTR_INPKTS: result.incomingPackets = value
            case IPVS_STATS_ATTR_OUTPKTS: result.outgoingPackets = value
            case IPVS_STATS_ATTR_INBYTES: result.incomingBytes = value
            case IPVS_STATS_ATTR_OUTBYTES: result.outgoingBytes = value
            case IPVS_STATS_ATTR_CPS: result.connectionRate = value
            case IPVS_STATS_ATTR_INPPS: result.incomingPacketRate = value
            case IPVS_STATS_ATTR_OUTPPS: result.outgoingPacketRate = value
            case IPVS_STATS_ATTR_INBPS: result.incomingByteRate = value
            case IPVS_STATS_ATTR_OUTBPS: result.outgoingByteRate = value
            default: break
            }
        }
        isTruncated = isTruncated || attributes.isTruncated
    }
}
