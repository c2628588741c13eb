package import IPVSKit
import SystemPackage
import Testing

extension IPVSContract {
    /// A change that the kernel accepts and does not act on.
    package struct Unfit: Sendable {
        /// The changes that must be made before.
        package var before: [Change] = []
        package let change: Change
        /// A part of the hint.
        package let reason: String
    }

    private static let udp = VirtualService.ID.address("10.1.0.1", port: 53, protocol: .udp)
    private static let tcp6 = VirtualService.ID.address("fd00::1", port: 443, protocol: .tcp)
    private static let allPorts = VirtualService.ID.address("10.1.0.1", port: 0, protocol: .tcp)

    /// Services that are refused both when they are created and when an existing service is changed to them.
    private static let unfitServices: [(service: VirtualService, reason: String)] = [
        (VirtualService(id: allPorts), "only if it is persistent"),
        (VirtualService(id: .address("fd00::1", port: 0, protocol: .udp)), "only if it is persistent"),
        (VirtualService(id: tcp, flags: .onePacket), "for UDP"),
        (VirtualService(id: sctp, scheduler: .maglevHashing, flags: [.onePacket, .hashPort]), "for UDP"),
        (VirtualService(id: tcp, flags: .hashFallback), "rr ignores"),
        (VirtualService(id: mark4, scheduler: .destinationHashing, flags: .hashPort), "dh ignores"),
        (VirtualService(id: mark6, scheduler: "none", flags: .hashPort), "none ignores"),
        (VirtualService(id: udp, persistenceEngine: "sip"), "is not persistent"),
        (VirtualService(id: tcp, persistence: .init(), persistenceEngine: "sip"), "reads UDP alone"),
        (VirtualService(id: sctp, persistence: .init(), persistenceEngine: "sip"), "reads UDP alone"),
        (VirtualService(id: mark4, persistence: .init(timeoutSeconds: 0)), "remembers no client beyond"),
        (VirtualService(id: mark4, persistence: .init(timeoutSeconds: 4_294_968)), "4294967 seconds at most"),
        (VirtualService(id: tcp6, persistence: .init(netmask: .mask(0xFFFF_FF00))), "length of a prefix, 1 to 128"),
        (VirtualService(id: mark6, persistence: .init(netmask: .mask(.max))), "length of a prefix, 1 to 128"),
        (VirtualService(id: tcp, persistence: .init(netmask: .prefix(64))), "0 to 32"),
    ]

    /// Ids that no packet ever finds.
    private static let unfitIDs: [(id: VirtualService.ID, reason: String)] = [
        (.address("10.1.0.1", port: 80, protocol: .init(rawValue: 47)), "TCP, UDP and SCTP"),
        (.address("::ffff:10.1.0.1", port: 80, protocol: .tcp), "is an IPv4 address"),
        (.address("0.0.0.0", port: 80, protocol: .tcp), "the unspecified address"),
        (.address("::", port: 80, protocol: .tcp), "the unspecified address"),
        (.address("224.0.0.5", port: 80, protocol: .udp), "many hosts"),
        (.address("255.255.255.255", port: 80, protocol: .udp), "many hosts"),
        (.address("ff02::5", port: 80, protocol: .udp), "many hosts"),
    ]

    private static func tunnelled(
        _ type: Destination.Tunnel.Kind, port: UInt16 = 0, flags: Destination.Tunnel.Flags = []
    ) -> Destination {
        Destination(
            "10.2.0.1", port: 443, forwarding: .tunnel, tunnel: .init(type: type, port: port, flags: flags))
    }

    private static let unfitDestinations: [(destination: Destination, service: VirtualService.ID, reason: String)] = [
        (Destination("10.2.0.1", port: 8443, forwarding: .directRoute), tcp, "only masquerading changes the port"),
        (Destination("10.2.0.1", port: 8443, forwarding: .tunnel), tcp, "only masquerading changes the port"),
        (Destination("10.2.0.1", port: 8443, forwarding: .local), tcp, "only masquerading changes the port"),
        (Destination("10.2.0.1", port: 8443, forwarding: .bypass), tcp, "only masquerading changes the port"),
        (Destination("fd02::1", port: 1, forwarding: .directRoute), tcp6, "only masquerading changes the port"),
        (Destination("fd02::1", port: 1, forwarding: .tunnel), tcp, "only masquerading changes the port"),
        (Destination("10.2.0.1", port: 80), allPorts, "ignores the port"),
        (Destination("10.2.0.1", port: 80, forwarding: .directRoute), allPorts, "only masquerading changes the port"),
        (Destination("10.2.0.1", port: 443, forwarding: .init(rawValue: 5)), tcp, "no forwarding method 5"),
        (Destination("10.2.0.1", port: 0, forwarding: .init(rawValue: 6)), mark4, "no forwarding method 6"),
        (Destination("10.2.0.1", port: 0, forwarding: .init(rawValue: 7)), mark4, "no forwarding method 7"),
        (tunnelled(.init(rawValue: 3)), tcp, "no tunnel type 3"),
        (tunnelled(.ipip, port: 6080), tcp, "only a GUE tunnel has a port"),
        (tunnelled(.gre, port: 6080), mark4, "only a GUE tunnel has a port"),
        (tunnelled(.ipip, flags: .checksum), tcp, "IPIP tunnel has no checksum"),
        (tunnelled(.ipip, flags: .remoteChecksum), mark4, "IPIP tunnel has no checksum"),
        (tunnelled(.gre, flags: [.checksum, .remoteChecksum]), tcp, "remote checksum"),
    ]

    /// All such changes that we know.
    package static let unfit: [Unfit] =
        unfitServices.flatMap { service, reason in
            [
                Unfit(change: .createService(service), reason: reason),
                Unfit(
                    before: [.createService(VirtualService(id: service.id, persistence: .init()))],
                    change: .updateService(service), reason: reason),
            ]
        }
        + unfitIDs.map { Unfit(change: .createService(VirtualService(id: $0)), reason: $1) }
        + unfitDestinations.flatMap { destination, id, reason in
            let service = Change.createService(VirtualService(id: id, persistence: .init()))
            let plain = Destination(
                destination.id.address, port: destination.id.port,
                forwarding: destination.id.address.family == id.family ? .masquerade : .tunnel)
            return [
                Unfit(before: [service], change: .createDestination(destination, of: id), reason: reason),
                Unfit(
                    before: [service, .createDestination(plain, of: id)],
                    change: .updateDestination(destination, of: id), reason: reason),
            ]
        }

    /// If a batch contains such a change, nothing is sent. The test also shows that the kernel accepts each change, so
    /// that the library must refuse it.
    static func whatTheKernelWouldNotDoIsRefusedBeforeItIsSent(_ ipvs: IPVS) async throws {
        for unfit in unfit {
            try await ipvs.flush()
            try await ipvs.performUnchecked(unfit.before).get()
            let before = try await ipvs.table()
            let good = Change.createService(VirtualService(id: .firewallMark(0x999, .ipv4)))
            let error = await #expect(throws: IPVSError.self, "\(unfit)") {
                try await ipvs.perform([good, unfit.change]).get()
            }
            guard let error else { continue }
            #expect(error.code == .invalid && error.errno == nil && error.wasRefusedBeforeSending, "\(unfit)")
            #expect(error.hint?.contains(unfit.reason) == true, "\(unfit): \(error)")
            #expect(error.description.hasPrefix("cannot \(unfit.change): refused before anything was sent; "))
            #expect(try await ipvs.table() == before)
            await #expect(throws: Never.self, "the kernel takes \(unfit)") {
                try await ipvs.performUnchecked([unfit.change]).get()
            }
        }
    }

    /// Changes that differ only slightly from those above are accepted.
    static func whatTheKernelDoesIsSent(_ ipvs: IPVS) async throws {
        let gre = Destination.Tunnel(type: .gre, flags: .checksum)
        let gue = Destination.Tunnel(type: .gue, port: 6080, flags: [.checksum, .remoteChecksum])
        let table = Table([
            .init(
                VirtualService(id: allPorts, persistence: .init(timeoutSeconds: 1, netmask: .mask(0xFF00_FF00))),
                destinations: [Destination("10.2.0.1", port: 0), Destination("10.2.0.2", port: 0, forwarding: .local)]),
            .init(
                VirtualService(id: tcp, scheduler: .maglevHashing, flags: [.hashFallback, .hashPort]),
                destinations: [
                    Destination("10.2.0.1", port: 443, forwarding: .directRoute),
                    Destination("10.2.0.2", port: 0, forwarding: .directRoute),
                    Destination("10.2.0.3", port: 443, forwarding: .tunnel, tunnel: gre),
                    Destination("10.2.0.4", port: 443, forwarding: .tunnel, tunnel: gue),
                    Destination("10.2.0.5", port: 8443, upperThreshold: UInt32(Int32.max)),
                    Destination("10.2.0.6", port: 443, forwarding: .bypass),
                ]),
            .init(
                VirtualService(
                    id: udp, flags: .onePacket, persistence: .init(timeoutSeconds: 4_294_967 / 1000),
                    persistenceEngine: "sip")),
            // The library does not know for which ports a mark stands.
            .init(
                VirtualService(id: mark4, flags: .onePacket, persistence: .init(), persistenceEngine: "sip"),
                destinations: [Destination("10.2.0.1", port: 8443, forwarding: .directRoute)]),
            .init(VirtualService(id: mark6, persistence: .init(netmask: .prefix(32)))),
            .init(VirtualService(id: .address("127.0.0.1", port: 80, protocol: .tcp))),
        ])
        try await ipvs.perform(Table.changes(from: Table(), to: table)).get()
        #expect(Table(try await ipvs.status()) == table)
    }

    /// A broken service of another program can be changed in part, and drained, but no change may break another rule.
    static func whatIsUnfitAlreadyCanBeChangedInPart(_ ipvs: IPVS) async throws {
        let service = VirtualService(id: tcp, flags: .onePacket)
        let destination = Destination("10.2.0.1", port: 8443, forwarding: .directRoute)
        try await ipvs.performUnchecked([.createService(service), .createDestination(destination, of: tcp)]).get()
        try await ipvs.modify(tcp) { $0.scheduler = .weightedRoundRobin }
        try await ipvs.update(tcp, setting: .init(rawValue: 0x20))
        try await ipvs.modify(destination.id, of: tcp) { $0.weight = 7 }
        let found = try await ipvs.service(tcp)
        #expect(
            found.service.scheduler == .weightedRoundRobin
                && found.service.flags == [.onePacket, .init(rawValue: 0x20)])
        #expect(found.destinations.map(\.destination.weight) == [7])

        for body: @Sendable () async throws -> Void in [
            { try await ipvs.update(tcp, setting: .hashFallback) },
            { try await ipvs.modify(tcp) { $0.flags.insert(.hashPort) } },
            { try await ipvs.modify(tcp) { $0.persistenceEngine = "sip" } },
            { try await ipvs.modify(destination.id, of: tcp) { $0.forwarding = .init(rawValue: 5) } },
            { try await ipvs.update(VirtualService(id: tcp, flags: .hashPort), flags: .hashPort) },
        ] {
            let error = await #expect(throws: IPVSError.self) { try await body() }
            #expect(error?.wasRefusedBeforeSending == true)
        }
        // Flags outside the mask are not checked.
        try await ipvs.update(VirtualService(id: tcp, flags: .hashPort), flags: .init(rawValue: 0x20))
        #expect(try await ipvs.service(tcp).service == service)
        try await ipvs.drain(destination.id, of: tcp, within: .seconds(20))
        #expect(try await ipvs.service(tcp).destinations == [])
    }

    /// The kernel has one errno for a missing scheduler and a missing persistence engine.
    static func aMissingSchedulerIsToldFromAMissingEngine(_ ipvs: IPVS) async throws {
        try await ipvs.create(VirtualService(id: mark6))
        func service(_ scheduler: Scheduler, _ engine: String) -> VirtualService {
            VirtualService(id: mark6, scheduler: scheduler, persistence: .init(), persistenceEngine: engine)
        }
        let before = try await ipvs.table()
        let codes: [(VirtualService, IPVSError.Code, String)] = [
            (service(.roundRobin, "nosuch"), .persistenceEngineNotFound, "ip_vs_pe_nosuch"),
            (service("none", "nosuch"), .persistenceEngineNotFound, "ip_vs_pe_nosuch"),
            (service("nosuch", "sip"), .schedulerNotFound, "ip_vs_nosuch"),
            (service("nosuch", "nosuch"), .schedulerNotFound, "ip_vs_nosuch"),
        ]
        for (service, code, module) in codes {
            for body: @Sendable () async throws -> Void in [
                { try await ipvs.update(service) }, { try await ipvs.update(service, flags: []) },
                { try await ipvs.modify(mark6) { $0 = service } },
            ] {
                let error = await #expect(throws: IPVSError.self) { try await body() }
                #expect(error?.code == code && error?.errno == .noSuchFileOrDirectory)
                #expect(error?.hint == "the kernel has no module \(module)")
            }
        }
        #expect(try await ipvs.table() == before)
    }

    /// Right after the start, the daemon's thread has not run yet, and then the kernel does not answer.
    static func aSyncDaemonIsStoppedAsSoonAsItIsStarted(_ subject: Subject) async throws {
        let ipvs = subject.ipvs
        for round in 1...16 {
            for role in SyncDaemon.Role.allCases {
                try await ipvs.start(SyncDaemon(role: role, interface: subject.interface, syncID: UInt8(round)))
                try await ipvs.stopDaemon(role)
                #expect(try await ipvs.daemons() == [])
            }
        }
    }

    /// Zeros stand for the kernel's defaults and are read back as these; values that the kernel would replace are
    /// refused.
    static func aSyncDaemonRunsAsItIsReadBack(_ subject: Subject) async throws {
        let (ipvs, interface) = (subject.ipvs, subject.interface)
        let groups: [(IPAddress?, IPAddress, UInt16)] = [
            (nil, "224.0.0.81", 1472), ("224.0.0.9", "224.0.0.9", 1472), ("ff02::81", "ff02::81", 1452),
        ]
        for role in SyncDaemon.Role.allCases {
            for (group, found, length) in groups {
                try await ipvs.start(
                    SyncDaemon(
                        role: role, interface: interface, syncID: 0, maximumLength: 0, group: group, port: 0,
                        timeToLive: 0))
                #expect(
                    try await ipvs.daemons() == [
                        SyncDaemon(
                            role: role, interface: interface, syncID: 0, maximumLength: length, group: found,
                            port: 8848, timeToLive: 1)
                    ])
                try await ipvs.stopDaemon(role)
            }
            for (group, most) in [("224.0.0.81", 65507), ("ff02::81", 65487)] as [(IPAddress, UInt16)] {
                let least: UInt16 = role == .backup ? 1024 : 1
                for length in [least, most] {
                    let daemon = SyncDaemon(
                        role: role, interface: interface, syncID: 255, maximumLength: length, group: group, port: 1,
                        timeToLive: 255)
                    try await ipvs.start(daemon)
                    #expect(try await ipvs.daemons() == [daemon])
                    try await ipvs.stopDaemon(role)
                }
                for length in role == .backup ? [1023, most + 1] : [most + 1] {
                    let error = await #expect(throws: IPVSError.self) {
                        try await ipvs.start(
                            SyncDaemon(role: role, interface: interface, maximumLength: length, group: group))
                    }
                    #expect(error?.wasRefusedBeforeSending == true)
                    #expect(error?.hint?.contains("is \(least) to \(most) bytes") == true)
                }
            }
        }
        #expect(try await ipvs.daemons() == [])
    }
}
