import Testing

@testable import IPVSKit

/// The text of settings in their files.
@Suite struct SettingTests {
    private func reads<Value>(_ text: String, _: Setting<Value>) -> Value? { Value(settingText: text) }

    @Test func names() {
        #expect(Setting<Bool>.conntrack.description == "net.ipv4.vs.conntrack")
        #expect(Setting<Int32>("debug_level").description == "net.ipv4.vs.debug_level")
    }

    @Test func textsAsTheKernelPrintsThem() {
        #expect(reads("0", .conntrack) == false)
        #expect(reads("1", .conntrack) == true)
        #expect(reads("2", .backupOnly) == true)
        #expect(reads("", .conntrack) == nil)
        #expect(reads("-3", .estNice) == -3)
        #expect(reads("18446744073709551615", .syncQlenMax) == .max)
        #expect(reads("3\t50", .syncThreshold) == SyncThreshold(packets: 3, period: 50))
        #expect(reads("3", .syncThreshold) == nil)
        #expect(reads("3 x", .syncThreshold) == nil)
        #expect(reads("0-1", .estCpulist) == "0-1")
        #expect(reads("", .estCpulist) == CPUList.none)
        #expect(reads("2", .dropEntry) == .automaticActive)
        #expect(reads("9", .secureTCP) == DefenseMode(rawValue: 9))
        #expect(reads("3", .connReuseMode) == [.whenSafe, .inFinWait])
    }

    @Test func textsAsTheKernelTakesThem() {
        #expect(true.settingText == "1" && false.settingText == "0")
        #expect(SyncThreshold(packets: 3, period: 50).settingText == "3 50")
        #expect(DefenseMode.always.settingText == "3")
        #expect(ConnectionReuse([]).settingText == "0")
        #expect(SyncVersion.current.settingText == "1" && SyncPersistMode.templatesOnly.settingText == "1")
        #expect(Int32(-20).settingText == "-20")
    }

    /// Either the kernel has no IPVS, or this process may not ask it.
    @Test func anErrorNamesWhatWasAsked() async throws {
        let ipvs = try IPVS()
        for (operation, call) in [
            ("read the global statistics", { @Sendable in _ = try await ipvs.globalStatistics() }),
            ("list connections", { for try await _ in ipvs.connections() {} }),
            ("read the settings net.ipv4.vs", { _ = try await ipvs.settings() }),
        ] as [(String, @Sendable () async throws -> Void)] {
            do {
                try await call()
            } catch let error as IPVSError {
                #expect(error.operation == operation)
            }
        }
    }

    @Test func aSimulatedKernelHasNoFiles() async throws {
        let ipvs = IPVS(simulating: { _ in [] })
        for call in [
            { @Sendable in _ = try await ipvs.setting(.conntrack) },
            { try await ipvs.set(.conntrack, to: true) },
            { _ = try await ipvs.settings() },
            { _ = try await ipvs.globalStatistics() },
            { for try await _ in ipvs.connections() {} },
            { _ = try await ipvs.schedulers() },
            { _ = try await ipvs.features() },
        ] as [@Sendable () async throws -> Void] {
            let error = await #expect(throws: IPVSError.self) { try await call() }
            #expect(error?.code == .unavailable)
        }
    }
}
