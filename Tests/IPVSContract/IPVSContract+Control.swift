import IPVSKit
import Testing

extension IPVSContract {
    static func flushDeletesEveryService(_ ipvs: IPVS) async throws {
        try await ipvs.flush()
        try await ipvs.create(VirtualService(id: mark4))
        try await ipvs.create(VirtualService(id: .address("fd00::1", port: 80, protocol: .tcp)))
        try await ipvs.flush()
        let services = try await ipvs.services()
        #expect(services.isEmpty)
    }

    static func timeoutsAreSetOneByOne(_ ipvs: IPVS) async throws {
        let found = try await ipvs.timeouts()
        #expect(found == Timeouts(tcpSeconds: 900, tcpFinSeconds: 120, udpSeconds: 300))
        try await ipvs.set(Timeouts(tcpFinSeconds: 60))
        let changed = try await ipvs.timeouts()
        #expect(changed == Timeouts(tcpSeconds: 900, tcpFinSeconds: 60, udpSeconds: 300))
        for zero in [Timeouts(tcpSeconds: 0), Timeouts(tcpFinSeconds: 0), Timeouts(tcpSeconds: 9, udpSeconds: 0)] {
            let refusal = await #expect(throws: IPVSError.self) { try await ipvs.set(zero) }
            #expect(refusal?.wasRefusedBeforeSending == true && refusal?.hint?.contains("use nil") == true)
        }
        let error = await #expect(throws: IPVSError.self) {
            try await ipvs.set(Timeouts(tcpSeconds: 1, udpSeconds: .max))
        }
        #expect(error?.code == .invalid && error?.wasRefusedBeforeSending == false)
        let kept = try await ipvs.timeouts()
        #expect(kept == changed, "what is refused is refused as a whole")
    }

    static func info(_ ipvs: IPVS) async throws {
        let info = try await ipvs.info()
        #expect(info.version.description == "1.2.1")
    }

    static func zero(_ ipvs: IPVS) async throws {
        let error = await #expect(throws: IPVSError.self) { try await ipvs.zero(mark4) }
        #expect(error?.code == .serviceNotFound)
        try await ipvs.perform(Table.changes(from: Table(), to: table)).get()
        try await ipvs.zero(mark4)
        try await ipvs.zero()
        #expect(Table(try await ipvs.status()) == table)
    }

    static func syncDaemonsAreStartedReadBackAndStopped(_ subject: Subject) async throws {
        let (ipvs, interface) = (subject.ipvs, subject.interface)
        let none = try await ipvs.daemons()
        #expect(none.isEmpty)

        let master = SyncDaemon(
            role: .master, interface: interface, syncID: 7, maximumLength: 1400, group: "224.0.0.99", port: 8849,
            timeToLive: 3)
        try await ipvs.start(master)
        let backup = SyncDaemon(role: .backup, interface: interface, syncID: 8)
        try await ipvs.start(backup)
        let daemons = try await ipvs.daemons()
        #expect(daemons.first == master)
        #expect(daemons.map(\.role) == [.master, .backup])
        #expect(daemons.last?.group == "224.0.0.81" && daemons.last?.port == 8848)
        #expect(
            daemons.last
                == SyncDaemon(
                    role: .backup, interface: interface, syncID: 8, maximumLength: 1472, group: "224.0.0.81",
                    port: 8848, timeToLive: 1))

        func code(_ body: () async throws -> Void) async -> IPVSError.Code? {
            await #expect(throws: IPVSError.self) { try await body() }?.code
        }
        #expect(await code { try await ipvs.start(master) } == .daemonRunning)
        // Which of two mistakes is told.
        #expect(
            await code { try await ipvs.start(SyncDaemon(role: .master, interface: "nosuch")) } == .interfaceNotFound)
        try await ipvs.stopDaemon(.master)
        #expect(await code { try await ipvs.stopDaemon(.master) } == .daemonNotRunning)
        #expect(
            await code { try await ipvs.start(SyncDaemon(role: .master, interface: "nosuch")) } == .interfaceNotFound)
        #expect(
            await code { try await ipvs.start(SyncDaemon(role: .master, interface: interface, group: "10.0.0.1")) }
                == .invalid)
        #expect(
            await code { try await ipvs.start(SyncDaemon(role: .master, interface: interface, group: "fd00::1")) }
                == .invalid)
        try await ipvs.stopDaemon(.backup)
        let left = try await ipvs.daemons()
        #expect(left.isEmpty)
    }

    static func syncDaemonsKnowOfNoMixedService(_ subject: Subject) async throws {
        let ipvs = subject.ipvs
        let mixed = Destination("fd02::1", port: 80, forwarding: .tunnel)
        let master = SyncDaemon(role: .master, interface: subject.interface, syncID: 7)
        try await ipvs.create(VirtualService(id: mark4))
        try await ipvs.create(mixed, of: mark4)
        var error = await #expect(throws: IPVSError.self) { try await ipvs.start(master) }
        #expect(error?.code == .invalid)
        try await ipvs.delete(mixed.id, of: mark4)
        try await ipvs.start(master)
        error = await #expect(throws: IPVSError.self) { try await ipvs.create(mixed, of: mark4) }
        #expect(error?.code == .invalid)
        try await ipvs.stopDaemon(.master)
        try await ipvs.create(mixed, of: mark4)
    }

    /// By netlink or by the older interface, whichever can tell: both tell the same.
    static func theTableIsWhatNetlinkLists(_ ipvs: IPVS) async throws {
        let empty = try await ipvs.table()
        #expect(empty == Table())
        var table = Table(
            (1...50).map { number in
                .init(
                    VirtualService(
                        id: .address(IPAddress(ipv4: 0x0A01_0000 | number), port: 80, protocol: .tcp),
                        scheduler: .weightedLeastConnection),
                    destinations: (0..<number % 7).map { place -> Destination in
                        let isDirect = place == 3
                        return Destination(
                            IPAddress(ipv4: 0x0A02_0000 | place), port: isDirect ? 80 : 8080, weight: place * 1_000_000,
                            forwarding: isDirect ? .directRoute : .masquerade, upperThreshold: 9 * place,
                            lowerThreshold: place)
                    })
            })
        // What the older interface cannot tell: IPv6, tunnels, a destination of the other family.
        let six = VirtualService.ID.address("fd00::1", port: 80, protocol: .tcp)
        table[six] = .init(VirtualService(id: six), destinations: [Destination("fd00::2", port: 80)])
        table[mark4] = .init(
            VirtualService(id: mark4, persistence: .init(timeoutSeconds: 5)),
            destinations: [
                Destination("10.3.0.1", port: 0, forwarding: .tunnel, tunnel: .init(type: .gue, port: 99)),
                Destination("10.3.0.2", port: 0),
            ])
        let plain = VirtualService.ID.firewallMark(0x104, .ipv4)
        table[plain] = .init(
            VirtualService(id: plain),
            destinations: [Destination("10.3.0.1", port: 0, tunnel: .init(type: .gue, port: 99, flags: .checksum))])
        let mixed = VirtualService.ID.firewallMark(0x103, .ipv4)
        table[mixed] = .init(
            VirtualService(id: mixed),
            destinations: [
                Destination("10.3.0.2", port: 0), Destination("fd00::9", port: 0, forwarding: .tunnel),
            ])
        try await ipvs.perform(Table.changes(from: Table(), to: table)).get()
        let read = try await ipvs.table()
        let listed = Table(try await ipvs.status())
        #expect(read == table)
        #expect(listed == table)
    }

    /// While another task changes it, the table is one that there was at some moment, or an error that says why
    /// not: never half of two.
    static func aTableThatChangesIsReadWholeOrNotAtAll(_ ipvs: IPVS) async throws {
        // What the older interface tells all of, and what takes both.
        for families in [[AddressFamily.ipv4], AddressFamily.allCases] {
            let marks = (0x200 as UInt32)..<0x204
            let ids = marks.flatMap { mark in
                families.map { VirtualService.ID.firewallMark(.init(rawValue: mark)!, $0) }
            }
            try await isReadWholeOrNotAtAll(ids, of: ipvs)
            try await ipvs.flush()
        }
    }

    private static func isReadWholeOrNotAtAll(_ ids: [VirtualService.ID], of ipvs: IPVS) async throws {
        // Each pass gives the destination of one service after the other a weight that none had before: what was once
        // is never again, so that two moments cannot be taken for one.
        func destination(of id: VirtualService.ID, weight: UInt32) -> Destination {
            Destination(id.family == .ipv4 ? "10.3.0.1" : "fd03::1", port: 80, weight: weight)
        }
        for id in ids {
            try await ipvs.create(VirtualService(id: id))
            try await ipvs.create(destination(of: id, weight: 0), of: id)
        }
        let changing = Task {
            for weight in (1 as UInt32)... {
                if Task.isCancelled { return }
                let changes = ids.map { Change.updateDestination(destination(of: $0, weight: weight), of: $0) }
                try await ipvs.perform(changes).get()
                try await Task.sleep(for: .milliseconds(30))
            }
        }
        var seen = 0
        for _ in 0..<50 {
            do {
                let table = try await ipvs.table()
                let weights = ids.compactMap { table[$0]?.destinations.values.first?.weight }
                // The kernel may stop between any two changes, for as long as it likes: what there was at some moment
                // is that the first so many have the new weight and the rest the one before.
                #expect(weights.count == ids.count && weights == weights.sorted(by: >), "\(weights)")
                #expect(weights.first.map { $0 - weights.last! <= 1 } == true, "\(weights)")
                seen += 1
            } catch {
                #expect(error.code == .inconsistent)
            }
        }
        #expect(seen > 0)
        changing.cancel()
        _ = try? await changing.value
    }
}
