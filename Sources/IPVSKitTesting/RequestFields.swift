import CNetlink
import IPVSKit
import SystemPackage

/// The attributes of a message or nest, checked against the kernel's policy: `struct nla_policy`.
struct RequestFields {
    /// The form that an attribute must have. Attributes without a rule are ignored.
    enum Rule {
        /// This many bytes or more.
        case atLeast(Int)
        /// This many bytes or fewer.
        case atMost(Int)
        /// A text that ends with NUL, with at most this many bytes before it.
        case text(Int)

        func allows(_ bytes: [UInt8]) -> Bool {
            switch self {
            case .atLeast(let count): bytes.count >= count
            case .atMost(let count): bytes.count <= count
            case .text(let count): bytes.prefix(count + 1).contains(0) && bytes.count <= count + 1
            }
        }
    }

    /// The attributes, few enough for a linear search.
    private var attributes: [SimulatedRequest.Attribute] = []

    /// If two attributes have the same type, the later one counts.
    init(_ payload: [UInt8], policy: [Int: Rule]) throws(Errno) {
        for attribute in SimulatedRequest.Attribute.list(payload) {
            guard let rule = policy[Int(attribute.type)] else { continue }
            guard rule.allows(attribute.bytes) else { throw .invalidArgument }
            attributes.append(attribute)
        }
    }

    func has(_ types: Int...) -> Bool { types.allSatisfy { raw($0) != nil } }

    func number<Number: FixedWidthInteger & BitwiseCopyable>(_ type: Int, as _: Number.Type = Number.self) -> Number? {
        raw(type).flatMap { Bytes.number($0) }
    }

    func raw(_ type: Int) -> [UInt8]? { attributes.last { Int($0.type) == type }?.bytes }

    func text(_ type: Int) -> String? { raw(type).map { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) } }

    /// Reads an address; missing bytes count as zero.
    func address(_ type: Int, family: AddressFamily) -> IPAddress? {
        guard let bytes = raw(type) else { return nil }
        let padded = bytes + [UInt8](repeating: 0, count: 16)
        switch family {
        case .ipv4: return Bytes.number(padded).map { IPAddress(ipv4: UInt32(bigEndian: $0)) }
        case .ipv6: return Bytes.number(padded).map { IPAddress(ipv6: UInt128(bigEndian: $0)) }
        }
    }
}

extension SimulatedRequest {
    private static let policy: [Int: RequestFields.Rule] = [
        IPVS_CMD_ATTR_SERVICE: .atLeast(0), IPVS_CMD_ATTR_DEST: .atLeast(0), IPVS_CMD_ATTR_DAEMON: .atLeast(0),
        IPVS_CMD_ATTR_TIMEOUT_TCP: .atLeast(4), IPVS_CMD_ATTR_TIMEOUT_TCP_FIN: .atLeast(4),
        IPVS_CMD_ATTR_TIMEOUT_UDP: .atLeast(4),
    ]

    func fields() throws(Errno) -> RequestFields { try RequestFields(payload, policy: Self.policy) }

    /// Nil where the message has none.
    func decodedService() throws(Errno) -> ServiceFields? {
        guard let nest = try fields().raw(IPVS_CMD_ATTR_SERVICE) else { return nil }
        return try ServiceFields(nest)
    }

    /// Nil where the message has none.
    func decodedDestination() throws(Errno) -> DestinationFields? {
        guard let nest = try fields().raw(IPVS_CMD_ATTR_DEST) else { return nil }
        return try DestinationFields(nest)
    }

    /// Nil where the message has none.
    func decodedDaemon() throws(Errno) -> RequestFields? {
        guard let nest = try fields().raw(IPVS_CMD_ATTR_DAEMON) else { return nil }
        return try RequestFields(
            nest,
            policy: [
                IPVS_DAEMON_ATTR_STATE: .atLeast(4), IPVS_DAEMON_ATTR_MCAST_IFN: .text(15),
                IPVS_DAEMON_ATTR_SYNC_ID: .atLeast(4), IPVS_DAEMON_ATTR_SYNC_MAXLEN: .atLeast(2),
                IPVS_DAEMON_ATTR_MCAST_GROUP: .atLeast(4), IPVS_DAEMON_ATTR_MCAST_GROUP6: .atLeast(16),
                IPVS_DAEMON_ATTR_MCAST_PORT: .atLeast(2), IPVS_DAEMON_ATTR_MCAST_TTL: .atLeast(1),
            ])
    }
}

/// The service in a request: `ip_vs_genl_parse_service`.
struct ServiceFields {
    private static let policy: [Int: RequestFields.Rule] = [
        IPVS_SVC_ATTR_AF: .atLeast(2), IPVS_SVC_ATTR_PROTOCOL: .atLeast(2), IPVS_SVC_ATTR_ADDR: .atMost(16),
        IPVS_SVC_ATTR_PORT: .atLeast(2), IPVS_SVC_ATTR_FWMARK: .atLeast(4), IPVS_SVC_ATTR_SCHED_NAME: .text(15),
        IPVS_SVC_ATTR_PE_NAME: .text(16), IPVS_SVC_ATTR_FLAGS: .atMost(8), IPVS_SVC_ATTR_TIMEOUT: .atLeast(4),
        IPVS_SVC_ATTR_NETMASK: .atLeast(4),
    ]

    private let fields: RequestFields

    init(_ nest: [UInt8]) throws(Errno) {
        fields = try RequestFields(nest, policy: Self.policy)
    }

    /// The id of the service. A mark wins over an address, and a mark of 0 is the TCP service of the unspecified
    /// address.
    var id: Result<VirtualService.ID, Errno> {
        guard let number: UInt16 = fields.number(IPVS_SVC_ATTR_AF),
            fields.has(IPVS_SVC_ATTR_FWMARK)
                || fields.has(IPVS_SVC_ATTR_PROTOCOL, IPVS_SVC_ATTR_ADDR, IPVS_SVC_ATTR_PORT)
        else { return .failure(.invalidArgument) }
        guard let family = AddressFamily(rawValue: number) else { return .failure(.addressFamilyNotSupported) }
        if let number: UInt32 = fields.number(IPVS_SVC_ATTR_FWMARK) {
            guard let mark = FirewallMark(rawValue: number) else {
                let none = family == .ipv4 ? IPAddress(ipv4: 0) : IPAddress(ipv6: 0)
                return .success(.address(none, port: 0, protocol: .tcp))
            }
            return .success(.firewallMark(mark, family))
        }
        guard let transport: UInt16 = fields.number(IPVS_SVC_ATTR_PROTOCOL),
            let address = fields.address(IPVS_SVC_ATTR_ADDR, family: family),
            let port: UInt16 = fields.number(IPVS_SVC_ATTR_PORT)
        else { return .failure(.invalidArgument) }
        return .success(
            .address(address, port: UInt16(bigEndian: port), protocol: TransportProtocol(rawValue: transport)))
    }

    /// `struct ip_vs_flags`; missing bytes count as zero.
    private func flags() -> (value: UInt32, mask: UInt32)? {
        guard let sent = fields.raw(IPVS_SVC_ATTR_FLAGS) else { return nil }
        let padded = sent + [UInt8](repeating: 0, count: 8)
        return (Bytes.number(padded) ?? 0, Bytes.number(padded, at: 4) ?? 0)
    }

    /// The mask of the flags.
    var flagsMask: UInt32? { flags()?.mask }

    /// The whole service (`full_entry`), which a request must have to create or change one.
    func specification(changing flags: UInt32) -> Result<ServiceSpecification, Errno> {
        guard let scheduler = fields.text(IPVS_SVC_ATTR_SCHED_NAME), let sent = self.flags(),
            let timeout: UInt32 = fields.number(IPVS_SVC_ATTR_TIMEOUT),
            let netmask: UInt32 = fields.number(IPVS_SVC_ATTR_NETMASK)
        else { return .failure(.invalidArgument) }
        return .success(
            ServiceSpecification(
                scheduler: scheduler, engine: fields.text(IPVS_SVC_ATTR_PE_NAME).flatMap { $0.isEmpty ? nil : $0 },
                flags: (flags & ~sent.mask) | (sent.value & sent.mask), timeoutSeconds: timeout, netmask: netmask))
    }
}

/// The properties of a service except its id, in the form of the wire.
struct ServiceSpecification: Sendable {
    var scheduler: String
    var engine: String?
    var flags: UInt32
    var timeoutSeconds: UInt32
    /// The mask in network byte order for IPv4, the length of the prefix for IPv6.
    var netmask: UInt32

    init(scheduler: String, engine: String?, flags: UInt32, timeoutSeconds: UInt32, netmask: UInt32) {
        self.scheduler = scheduler
        self.engine = engine
        self.flags = flags
        self.timeoutSeconds = timeoutSeconds
        self.netmask = netmask
    }

    init(_ service: VirtualService) {
        let family = service.id.family
        let netmask = service.persistence?.netmask?.number(family) ?? VirtualService.Persistence.Netmask.whole(family)
        self.init(
            scheduler: service.scheduler.rawValue, engine: service.persistenceEngine,
            flags: service.flags.rawValue | UInt32(IP_VS_SVC_F_HASHED)
                | (service.persistence == nil ? 0 : UInt32(IP_VS_SVC_F_PERSISTENT)),
            timeoutSeconds: service.persistence?.timeoutSeconds ?? 0,
            netmask: family == .ipv4 ? netmask.bigEndian : netmask)
    }

    func value(_ id: VirtualService.ID) -> VirtualService {
        var persistence: VirtualService.Persistence?
        if flags & UInt32(IP_VS_SVC_F_PERSISTENT) != 0 {
            let number = id.family == .ipv4 ? UInt32(bigEndian: netmask) : netmask
            persistence = .init(timeoutSeconds: timeoutSeconds, netmask: .init(number: number, id.family))
        }
        return VirtualService(
            id: id, scheduler: Scheduler(rawValue: scheduler),
            flags: .init(rawValue: flags),
            persistence: persistence, persistenceEngine: engine)
    }
}

/// The destination in a request: `ip_vs_genl_parse_dest`.
struct DestinationFields {
    private static let policy: [Int: RequestFields.Rule] = [
        IPVS_DEST_ATTR_ADDR: .atMost(16), IPVS_DEST_ATTR_PORT: .atLeast(2),
        IPVS_DEST_ATTR_FWD_METHOD: .atLeast(4),
        IPVS_DEST_ATTR_WEIGHT: .atLeast(4), IPVS_DEST_ATTR_U_THRESH: .atLeast(4),
        IPVS_DEST_ATTR_L_THRESH: .atLeast(4), IPVS_DEST_ATTR_ADDR_FAMILY: .atLeast(2),
        IPVS_DEST_ATTR_TUN_TYPE: .atLeast(1), IPVS_DEST_ATTR_TUN_PORT: .atLeast(2),
        IPVS_DEST_ATTR_TUN_FLAGS: .atLeast(2),
    ]

    private let fields: RequestFields

    init(_ nest: [UInt8]) throws(Errno) {
        fields = try RequestFields(nest, policy: Self.policy)
    }

    /// The id of the destination. Without a family, or with family 0, it has the family of the service.
    func id(serviceFamily: AddressFamily) -> Result<Destination.ID, Errno> {
        guard fields.has(IPVS_DEST_ATTR_ADDR), let port: UInt16 = fields.number(IPVS_DEST_ATTR_PORT) else {
            return .failure(.invalidArgument)
        }
        let number: UInt16 = fields.number(IPVS_DEST_ATTR_ADDR_FAMILY) ?? 0
        guard let family = number == 0 ? serviceFamily : AddressFamily(rawValue: number),
            let address = fields.address(IPVS_DEST_ATTR_ADDR, family: family)
        else { return .failure(.addressFamilyNotSupported) }
        return .success(Destination.ID(address, port: UInt16(bigEndian: port)))
    }

    /// The whole destination, which a request must have to create or change one. Missing tunnel attributes are reset.
    func destination(serviceFamily: AddressFamily) -> Result<Destination, Errno> {
        guard fields.has(IPVS_DEST_ATTR_ADDR, IPVS_DEST_ATTR_PORT),
            let method: UInt32 = fields.number(IPVS_DEST_ATTR_FWD_METHOD),
            let weight: UInt32 = fields.number(IPVS_DEST_ATTR_WEIGHT),
            let upper: UInt32 = fields.number(IPVS_DEST_ATTR_U_THRESH),
            let lower: UInt32 = fields.number(IPVS_DEST_ATTR_L_THRESH)
        else { return .failure(.invalidArgument) }
        return id(serviceFamily: serviceFamily).map { id in
            Destination(
                id.address, port: id.port, weight: weight,
                forwarding: .init(rawValue: method), upperThreshold: upper, lowerThreshold: lower,
                tunnel: .init(
                    type: .init(rawValue: fields.number(IPVS_DEST_ATTR_TUN_TYPE) ?? 0),
                    port: UInt16(bigEndian: fields.number(IPVS_DEST_ATTR_TUN_PORT) ?? 0),
                    flags: .init(rawValue: fields.number(IPVS_DEST_ATTR_TUN_FLAGS) ?? 0)))
        }
    }
}
