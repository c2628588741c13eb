import CNetlink
import IPVSKit
import SystemPackage

extension FakeIPVS {
    /// The state that `net/netfilter/ipvs/ip_vs_ctl.c` keeps for a network namespace, and its commands.
    struct State: Sendable {
        struct Service: Sendable {
            var specification: ServiceSpecification
            var statistics = Statistics()
            var destinations: [Destination.ID: Entry] = [:]
            /// The place in the order of creation.
            let number: Int

            /// The destinations in the kernel's order: the newest first.
            var sortedDestinations: [DestinationStatus] {
                destinations.values.sorted { $0.number > $1.number }.map(\.status)
            }
        }

        struct Entry: Sendable {
            var status: DestinationStatus
            /// The place in the order of creation.
            let number: Int
        }

        struct PendingFault: Sendable {
            var fault: Fault
            var remaining: Int
            var command: SimulatedRequest.Command?
        }

        /// The ticks of the kernel's clock in a second, as in Debian's kernels. The kernel keeps timeouts in ticks, in
        /// 31 bits.
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

        /// Services by address come before those by mark, each in the order of their creation. The kernel's order is
        /// that of its hash table.
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
                // If the service does not exist or is not named correctly, the answer is an empty list without an
                // error.
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

    /// - Parameter whole: whether the request must have all properties of a service, which is checked first.
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
        // "none" needs no module: it is a service without a scheduler.
        guard wanted.scheduler == "none" || schedulers.contains(wanted.scheduler) else {
            throw .noSuchFileOrDirectory
        }
        if let engine = wanted.engine, !persistenceEngines.contains(engine) { throw .noSuchFileOrDirectory }
        if id.family == .ipv6, !(1...128).contains(wanted.netmask) { throw .invalidArgument }
        wanted.flags |= UInt32(IP_VS_SVC_F_HASHED)
        // The number of ticks may wrap, as in the kernel, which does not check.
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
            // Sync daemons do not support a destination of another family, and only a tunnel may lead to one.
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
    /// Whether the kernel accepts the address for a destination: it must be a unicast address. The kernel also accepts
    /// the host's own addresses, but the fake has none.
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

        // Properties that are missing or 0 get the kernel's defaults. The default length is that for an MTU of 1500.
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
