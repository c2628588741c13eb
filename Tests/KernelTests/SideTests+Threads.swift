import IPVSKit
import Netlink
import SystemPackage
import TestSupport
import Testing

#if canImport(Glibc)
    import Glibc
#endif

extension KernelTests.SideTests {
    /// Swift's threads serve every task: one that was left in another namespace would carry whoever comes next
    /// into it.
    @Test func afterThousandsOfCallsEveryThreadIsWhereItWas() async throws {
        try await Topology.with { topology in
            let home = try #require(try ownThreads()["\(getpid())"])
            // That a stray would be seen.
            let elsewhere = try await topology.namespace("elsewhere")
            let stray = Task { try await elsewhere.thread { _ = sleep(2) } }
            #expect(try await soon { try ownThreads().values.contains { $0 != home } })
            try await stray.value

            var names: [String] = []
            for number in 0..<4 { names.append(try await topology.namespace("n\(number)").name) }
            let calls = try await withThrowingTaskGroup(of: Int.self) { group in
                for (number, name) in (names + names).enumerated() {
                    group.addTask { try await Self.calls(in: name, number: number) }
                }
                return try await group.reduce(0, +)
            }
            print("SideTests: \(calls) calls in \(names.count) namespaces")
            #expect(calls >= 4000)

            // A call that was cancelled may still have its thread begin, and end.
            let settled = try await soon { try ownThreads().values.allSatisfy { $0 == home } }
            let threads = settled ? [:] : try ownThreads()
            #expect(settled, "\(threads)")
            // The pool's threads too, which may have slept meanwhile: many tasks at once look where they are.
            let seen = try await withThrowingTaskGroup(of: String.self) { group in
                for _ in 0..<64 { group.addTask { try FilePath("/proc/thread-self/ns/net").linkTarget() } }
                return try await group.reduce(into: Set<String>()) { $0.insert($1) }
            }
            #expect(seen == [home])
            // And what the calls of others see has not moved.
            #expect(try await IPVS().services().isEmpty)
        }
    }

    /// Two tasks for each namespace, in each of which the settings say which it is.
    private static func calls(in name: String, number: Int) async throws -> Int {
        let ipvs = try IPVS(in: .named(name))
        let id = VirtualService.ID.firewallMark(FirewallMark(rawValue: UInt32(number) + 1)!, .ipv4)
        let twin = Int32(number % 4)
        try await ipvs.set(.amDroprate, to: 100 + twin)
        var calls = 0
        for round in 0..<100 {
            try await ipvs.create(VirtualService(id: id))
            #expect(try await ipvs.setting(.amDroprate) == 100 + twin)
            #expect(try await ipvs.globalStatistics() == Statistics())
            for try await _ in ipvs.connections() { Issue.record("a connection in \(name)") }
            if round.isMultiple(of: 50) { _ = try await ipvs.schedulers(among: ["rr"]) }
            try await ipvs.delete(id)
            calls += 5
        }
        // A task that is cancelled in the middle of it leaves nothing behind either.
        let task = Task {
            var calls = 0
            while !Task.isCancelled, calls < 20 {
                _ = try? await ipvs.setting(.conntrack)
                calls += 1
            }
            return calls
        }
        try await Task.sleep(for: .milliseconds(1))
        task.cancel()
        return calls + (await task.value)
    }
}

extension FilePath {
    fileprivate func linkTarget() throws -> String {
        var buffer = [UInt8](repeating: 0, count: 256)
        let count = buffer.withUnsafeMutableBytes { readlink(string, $0.baseAddress!, $0.count) }
        guard count > 0 else { throw Errno(rawValue: errno) }
        return String(decoding: buffer[..<count], as: UTF8.self)
    }
}
