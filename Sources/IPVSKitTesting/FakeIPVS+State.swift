import CNetlink
import IPVSKit
import SystemPackage

extension FakeIPVS {
    /// What `net/netfilter/ipvs/ip_vs_ctl.c` keeps for a network namespace, and does with it.
    struct State: Sendable {
        struct Service: Sendable {
            var specification: ServiceSpecification
            var statistics = Statistics()
            var destinations: [Destination.ID: Entry] = [:]
            /// Which in the order of creation.
            let number: Int

            /// As the kernel lists them: newest first.
            var sortedDestinations: [DestinationStatus] {
                destinations.values.sorted { $0.number > $1.number }.map(\.status)
            }
        }

        struct Entry: Sendable {
            var status: DestinationStatus
            /// Which in the order of creation.
            let number: Int
        }

        struct PendingFault: Sendable {
            var fault: Fault
            var remaining: Int
            var command: SimulatedRequest.Command?
        }

        /// Timeouts are kept in ticks of the kernel's clock, in 31 bits. 250 a second is Debian's.
        static let ticksPerSecond: UInt32 = 250

        let schedulers: Set<String>
        let persistenceEngines: Set<String>
        let interfaces: Set<String>
        var services: [VirtualService.ID: Service] = [:]
        var timeouts = Timeouts(tcpSeconds: 900, tcpFinSeconds: 120, udpSeconds: 300)
        var daemons: [SyncDaemon.Role: SyncDaemon] = [:]
        var connections: [Connection] = []
        var faults: [PendingFault] = []
        private var created = 0

        init(schedulers: Set<String>, persistenceEngines: Set<String>, interfaces: Set<String>) {
            self.schedulers = schedulers
            self.persistenceEngines = persistenceEngines
            self.interfaces = interfaces
        }

        /// Addresses before marks; within each the oldest first. The kernel's order is that of its hash.
        var sortedServices: [(key: VirtualService.ID, value: Service)] {
            services.sorted { left, right in
                let (hasMark, otherHasMark) = (left.key.firewallMark != nil, right.key.firewallMark != nil)
                return hasMark == otherHasMark ? left.value.number < right.value.number : otherHasMark
            }
        }

        mutating func answer(_ request: SimulatedRequest) -> [SimulatedReply] {
            switch nextFault(request.command)?.kind {
            case .error(let errno)?: return [.error(errno)]
            case .ignored?: return [.nothing]
            case .lost?:
                _ = served(request)
                return [.nothing]
            case .malformed?:
                _ = served(request)
                return [.malformed]
            case nil: return served(request)
            }
        }

        private mutating func nextFault(_ command: SimulatedRequest.Command) -> Fault? {
            faults.removeAll { $0.remaining <= 0 }
            guard let index = faults.firstIndex(where: { $0.command == nil || $0.command == command }) else {
                return nil
            }
            faults[index].remaining -= 1
            return faults[index].fault
        }

        private mutating func served(_ request: SimulatedRequest) -> [SimulatedReply] {
            do throws(Errno) {
                if request.isDump { return try dump(request) + [.done] }
                return try serve(request) + [.acknowledgement]
            } catch {
                return [.error(error)]
            }
        }

        private func dump(_ request: SimulatedRequest) throws(Errno) -> [SimulatedReply] {
            switch request.command {
            case .getService:
                return sortedServices.map { .service($0.key, $0.value.specification, $0.value.statistics) }
            case .getDestination:
                // Of a service that is not there, or not named right, there are none: no error.
                guard let id = try? request.decodedService()?.id.get() else { return [] }
                return (services[id]?.sortedDestinations ?? []).map { .destination($0) }
            case .getDaemon:
                return SyncDaemon.Role.allCases.compactMap { daemons[$0] }.map { .daemon($0) }
            default:
                throw .notSupportedOnSocket
            }
        }

        private mutating func serve(_ request: SimulatedRequest) throws(Errno) -> [SimulatedReply] {
            let fields = try request.fields()
            switch request.command {
            case .getService:
                let id = try existing(request)
                guard let service = services[id] else { throw .noSuchProcess }
                return [.service(id, service.specification, service.statistics)]
            case .getConfiguration: return [.timeouts(timeouts)]
            case .getInfo: return [.info()]
            case .flush: services = [:]
            case .setConfiguration: try setTimeouts(fields)
            case .newDaemon: try start(try request.decodedDaemon())
            case .deleteDaemon: try stop(try request.decodedDaemon())
            case .zero: try zero(request, named: fields.has(IPVS_CMD_ATTR_SERVICE))
            case .newService: try create(request)
            case .setService:
                let id = try existing(request, whole: true)
                let flags = services[id]?.specification.flags ?? 0
                let wanted = try specification(request, id: id, changing: flags)
                services[id]?.specification = wanted
            case .deleteService: services[try existing(request)] = nil
            case .newDestination, .setDestination, .deleteDestination: try change(request)
            default: throw .notSupportedOnSocket
            }
            return []
        }
    }
}

// MARK: Services

extension FakeIPVS.State {
    private func named(_ request: SimulatedRequest) throws(Errno) -> VirtualService.ID {
        guard let fields = try request.decodedService() else { throw .invalidArgument }
        return try fields.id.get()
    }

    /// - Parameter whole: whether the request must have all of a service, which is looked at first.
    private func existing(
        _ request: SimulatedRequest, whole: Bool = false
    ) throws(Errno) -> VirtualService.ID {
        let id = try named(request)
        if whole { _ = try request.decodedService()?.specification(changing: 0).get() }
        guard services[id] != nil else { throw .noSuchProcess }
        return id
    }

    private mutating func create(_ request: SimulatedRequest) throws(Errno) {
        let id = try named(request)
        _ = try request.decodedService()?.specification(changing: 0).get()
        guard services[id] == nil else { throw .fileExists }
        let specification = try specification(request, id: id, changing: 0)
        created += 1
        services[id] = Service(specification: specification, number: created)
    }

    private func specification(
        _ request: SimulatedRequest, id: VirtualService.ID, changing flags: UInt32
    ) throws(Errno) -> ServiceSpecification {
        guard var wanted = try request.decodedService()?.specification(changing: flags).get() else {
            throw .invalidArgument
        }
        // "none" is no module: a service that schedules nothing.
        guard wanted.scheduler == "none" || schedulers.contains(wanted.scheduler) else {
            throw .noSuchFileOrDirectory
        }
        if let engine = wanted.engine, !persistenceEngines.contains(engine) { throw .noSuchFileOrDirectory }
        if id.family == .ipv6, !(1...128).contains(wanted.netmask) { throw .invalidArgument }
        wanted.flags |= UInt32(IP_VS_SVC_F_HASHED)
        // In ticks it may wrap; the kernel does not look.
        wanted.timeoutSeconds = (wanted.timeoutSeconds &* Self.ticksPerSecond) / Self.ticksPerSecond
        return wanted
    }

    private mutating func zero(_ request: SimulatedRequest, named: Bool) throws(Errno) {
        let ids = named ? [try existing(request)] : Array(services.keys)
        for id in ids {
            services[id]?.statistics = Statistics()
            for destination in services[id]?.destinations.keys.map({ $0 }) ?? [] {
                services[id]?.destinations[destination]?.status.statistics = Statistics()
            }
        }
    }
}

// MARK: Destinations

extension FakeIPVS.State {
    private mutating func change(_ request: SimulatedRequest) throws(Errno) {
        let serviceID = try existing(request)
        guard let fields = try request.decodedDestination() else { throw .invalidArgument }
        let family = serviceID.family
        if request.command == .deleteDestination {
            let id = try fields.id(serviceFamily: family).get()
            guard services[serviceID]?.destinations.removeValue(forKey: id) != nil else {
                throw .noSuchFileOrDirectory
            }
            return
        }

        let wanted = try fields.destination(serviceFamily: family).get()
        if wanted.id.address.family != family {
            // Sync daemons know of no such service, and only a tunnel leads to the other family.
            guard daemons.isEmpty, wanted.forwarding == .tunnel else { throw .invalidArgument }
        }
        guard wanted.weight <= Int32.max, wanted.lowerThreshold <= wanted.upperThreshold else { throw .outOfRange }
        if wanted.tunnel.type == .gue, wanted.tunnel.port == 0 {
            throw .invalidArgument
        }
        let exists = services[serviceID]?.destinations[wanted.id] != nil
        if request.command == .newDestination {
            guard !exists else { throw .fileExists }
            guard wanted.id.address.isReachable else { throw .invalidArgument }
            created += 1
            services[serviceID]?.destinations[wanted.id] = Entry(
                status: DestinationStatus(destination: wanted), number: created)
        } else {
            guard exists else { throw .noSuchFileOrDirectory }
            services[serviceID]?.destinations[wanted.id]?.status.destination = wanted
        }
    }
}

extension IPAddress {
    /// Whether the kernel takes it for a destination's: unicast. A host's own addresses are, but for their own are
    /// unknown here.
    fileprivate var isReachable: Bool {
        switch storage {
        case .ipv4(let number): number != 0 && number != .max && !isMulticast
        case .ipv6: !isUnspecified && !isMulticast && !isLinkLocal && !isIPv4Mapped
        }
    }
}

// MARK: Timeouts and sync daemons

extension FakeIPVS.State {
    private mutating func setTimeouts(_ fields: RequestFields) throws(Errno) {
        let tcp: UInt32 = fields.number(IPVS_CMD_ATTR_TIMEOUT_TCP) ?? 0
        let tcpFin: UInt32 = fields.number(IPVS_CMD_ATTR_TIMEOUT_TCP_FIN) ?? 0
        let udp: UInt32 = fields.number(IPVS_CMD_ATTR_TIMEOUT_UDP) ?? 0
        let most = UInt32(Int32.max) / Self.ticksPerSecond
        guard tcp <= most, tcpFin <= most, udp <= most else { throw .invalidArgument }
        if tcp != 0 { timeouts.tcpSeconds = tcp }
        if tcpFin != 0 { timeouts.tcpFinSeconds = tcpFin }
        if udp != 0 { timeouts.udpSeconds = udp }
    }

    private mutating func start(_ fields: RequestFields?) throws(Errno) {
        guard let fields, let number: UInt32 = fields.number(IPVS_DAEMON_ATTR_STATE),
            let interface = fields.text(IPVS_DAEMON_ATTR_MCAST_IFN),
            let syncID: UInt32 = fields.number(IPVS_DAEMON_ATTR_SYNC_ID)
        else { throw .invalidArgument }
        let group =
            fields.address(IPVS_DAEMON_ATTR_MCAST_GROUP, family: .ipv4)
            ?? fields.address(IPVS_DAEMON_ATTR_MCAST_GROUP6, family: .ipv6) ?? "224.0.0.81"
        guard group.isMulticast else { throw .invalidArgument }
        let isMixed = services.contains { id, service in
            service.destinations.keys.contains { $0.address.family != id.family }
        }
        guard !isMixed else { throw .invalidArgument }
        guard interfaces.contains(interface) else { throw .operationNotSupportedByDevice }
        guard let role = SyncDaemon.Role(rawValue: number) else { throw .invalidArgument }
        guard daemons[role] == nil else { throw .fileExists }

        // What is not said, or said to be 0, has the kernel's defaults; the length is what an MTU of 1500 leaves.
        let headers: UInt16 = group.family == .ipv4 ? 28 : 48
        var length: UInt16 = fields.number(IPVS_DAEMON_ATTR_SYNC_MAXLEN) ?? 0
        length = length == 0 ? 1500 - headers : min(length, .max - headers)
        if role == .backup { length = max(length, 1024) }
        let port: UInt16 = fields.number(IPVS_DAEMON_ATTR_MCAST_PORT) ?? 0
        let timeToLive: UInt8 = fields.number(IPVS_DAEMON_ATTR_MCAST_TTL) ?? 0
        daemons[role] = SyncDaemon(
            role: role, interface: interface, syncID: UInt8(truncatingIfNeeded: syncID), maximumLength: length,
            group: group,
            port: port == 0 ? 8848 : port, timeToLive: timeToLive == 0 ? 1 : timeToLive)
    }

    private mutating func stop(_ fields: RequestFields?) throws(Errno) {
        guard let number: UInt32 = fields?.number(IPVS_DAEMON_ATTR_STATE),
            let role = SyncDaemon.Role(rawValue: number)
        else { throw .invalidArgument }
        guard daemons[role] != nil else { throw .noSuchProcess }
        daemons[role] = nil
    }
}
