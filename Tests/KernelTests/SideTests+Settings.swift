import IPVSKit
import SystemPackage
import TestSupport
import Testing

extension KernelTests.SideTests {
    /// Reads a setting, writes the same value back and reads it again. Returns nil if the setting does not exist; then
    /// writing must fail.
    private static func roundTrip<Value>(_ setting: Setting<Value>, _ ipvs: IPVS, absent: Value) async throws -> String?
    {
        guard let value = try await ipvs.setting(setting) else {
            let error = await #expect(throws: IPVSError.self) { try await ipvs.set(setting, to: absent) }
            #expect(error?.code == .settingNotFound, "\(setting)")
            return nil
        }
        try await ipvs.set(setting, to: value)
        #expect(try await ipvs.setting(setting) == value, "\(setting)")
        return setting.name
    }

    @Test func everySettingIsReadAndWrittenOrAbsentAsInProc() async throws {
        try await Topology.with { topology in
            let namespace = try await topology.namespace("ipvs")
            let ipvs = try IPVS(in: .named(namespace.name))
            // Loads the modules, because their files exist only afterwards: two schedulers have settings of their own.
            #expect(try await ipvs.schedulers(among: ["lblc", "lblcr"]) == ["lblc", "lblcr"])
            var found: Set<String?> = []
            for setting in [
                .backupOnly, .cacheBypass, .conntrack, .expireNodestConn, .expireQuiescentTemplate, .ignoreTunneled,
                .natICMPSend, .pmtuDisc, .runEstimation, .scheduleICMP, .sloppyTCP, .sloppySCTP, .snatReroute,
            ] as [Setting<Bool>] {
                found.insert(try await Self.roundTrip(setting, ipvs, absent: true))
            }
            for setting in [
                .amDroprate, .amemthresh, .estNice, .syncPorts, .syncSockSize, .syncRefreshPeriod, .syncRetries,
                .lblcExpiration, .lblcrExpiration, .connLfactor, .svcLfactor,
            ] as [Setting<Int32>] {
                found.insert(try await Self.roundTrip(setting, ipvs, absent: 1))
            }
            for setting in [.dropEntry, .dropPacket, .secureTCP] as [Setting<DefenseMode>] {
                found.insert(try await Self.roundTrip(setting, ipvs, absent: .never))
            }
            found.insert(try await Self.roundTrip(.syncQlenMax, ipvs, absent: 1))
            found.insert(try await Self.roundTrip(.connReuseMode, ipvs, absent: []))
            found.insert(try await Self.roundTrip(.estCpulist, ipvs, absent: .none))
            found.insert(try await Self.roundTrip(.syncThreshold, ipvs, absent: .init(packets: 3, period: 50)))
            found.insert(try await Self.roundTrip(.syncVersion, ipvs, absent: .current))
            found.insert(try await Self.roundTrip(.syncPersistMode, ipvs, absent: .all))

            let files = Set(
                try await namespace.check("ls", "/proc/sys/net/ipv4/vs").split(separator: "\n").map(String.init))
            #expect(Set(found.compactMap { $0 }) == files.subtracting(["debug_level"]))
            #expect(Set(try await ipvs.settings().keys) == files)
            #expect(try await ipvs.setting(Setting<Bool>("nosuch")) == nil)
        }
    }

    @Test func whetherCountersAreBroughtUpToDate() async throws {
        try await Topology.with { topology in
            let ipvs = try IPVS(in: .named(try await topology.namespace("ipvs").name))
            #expect(try await ipvs.estimationRuns())
            // These settings exist since about Linux 5.17, and since 6.2.
            if try await ipvs.setting(.runEstimation) != nil {
                try await ipvs.set(.runEstimation, to: false)
                #expect(try await !ipvs.estimationRuns())
                try await ipvs.set(.runEstimation, to: true)
            }
            if try await ipvs.setting(.estCpulist) != nil {
                try await ipvs.set(.estCpulist, to: .none)
                #expect(try await !ipvs.estimationRuns())
            }
        }
    }

    @Test func settingsAreANamespacesOwnAndTheKernelRefusesNonsense() async throws {
        try await Topology.with { topology in
            let (here, there) = (try await topology.namespace("here"), try await topology.namespace("there"))
            let ipvs = try IPVS(in: .named(here.name))
            let other = try IPVS(in: .named(there.name))
            try await ipvs.set(.conntrack, to: true)
            try await ipvs.set(.connReuseMode, to: [.whenSafe, .inFinWait])
            try await ipvs.set(.dropEntry, to: .always)
            try await ipvs.set(.syncThreshold, to: .init(packets: 5, period: 60))
            func values(_ namespace: TestNamespace) async throws -> [String] {
                try await namespace.check(
                    "sh", "-c", "cd /proc/sys/net/ipv4/vs; cat conntrack conn_reuse_mode drop_entry sync_threshold"
                ).split(separator: "\n").map(String.init)
            }
            #expect(try await values(here) == ["1", "3", "3", "5\t60"])
            #expect(try await values(there) == ["0", "1", "0", "3\t50"])
            #expect(try await other.setting(.conntrack) == false)
            #expect(try await ipvs.setting(.syncThreshold) == .init(packets: 5, period: 60))

            for refused in [
                { @Sendable in try await ipvs.set(.syncThreshold, to: .init(packets: 9, period: 3)) },
                { try await ipvs.set(.syncPorts, to: 3) },
                { try await ipvs.set(.syncVersion, to: .init(rawValue: 7)) },
            ] as [@Sendable () async throws -> Void] {
                let error = await #expect(throws: IPVSError.self) { try await refused() }
                #expect(error?.code == .invalid && error?.errno == .invalidArgument)
            }
            #expect(try await ipvs.setting(.syncThreshold) == .init(packets: 5, period: 60))
        }
    }

    /// Finds exactly the schedulers for which the kernel has modules, and touches no existing table.
    @Test func schedulersAreThoseThatTheKernelHasModulesFor() async throws {
        try await Topology.with { topology in
            let namespace = try await topology.namespace("ipvs")
            let ipvs = try IPVS(in: .named(namespace.name))
            let service = VirtualService.ID.firewallMark(1, .ipv4)
            try await ipvs.create(VirtualService(id: service, scheduler: .weightedRoundRobin))
            var wanted: [Scheduler] = []
            for scheduler in Scheduler.known
            where try await Shell.run(["modprobe", "-n", "-q", "ip_vs_\(scheduler)"]).status == 0 {
                wanted.append(scheduler)
            }
            #expect(wanted.count > 8)
            #expect(try await ipvs.schedulers() == wanted)
            #expect(try await ipvs.schedulers(among: ["nosuch", "sh", "", "rr"]) == ["sh", "rr"])
            #expect(try await ipvs.services().map(\.service.scheduler) == [.weightedRoundRobin])
        }
    }

    @Test func featuresAreThoseOfTheKernel() async throws {
        try await Topology.with { topology in
            let namespace = try await topology.namespace("ipvs")
            let ipvs = try IPVS(in: .named(namespace.name))
            let features = try await ipvs.features()
            let settings = try await ipvs.settings()
            // Every kernel in which the tests run is newer than these versions.
            #expect(features.tunnelTypes && features.wideCounters && features.mixedFamilies && features.ipv6)
            #expect(features.conntrack == (settings["conntrack"] != nil))
            #expect(features.estimatorThreads == (settings["est_nice"] != nil))
            #expect(try await ipvs.features() == features)
            #expect(try await ipvs.services().isEmpty)
        }
    }
}
