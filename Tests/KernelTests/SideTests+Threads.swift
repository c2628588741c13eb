import IPVSKit
import Netlink
import SystemPackage
import TestSupport
import Testing

#if canImport(Glibc)
    import Glibc
#endif

extension KernelTests.SideTests {
    /// Swift's threads serve all tasks: a thread that was left in another namespace would take the next task into it.
    @Test func afterThousandsOfCallsEveryThreadIsWhereItWas() async throws {
        try await Topology.with { topology in
            let home = try #require(try ownThreads()["\(getpid())"])
            // Checks that a thread in another namespace would be noticed.
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

            // The thread of a cancelled call may still start, and end.
            let settled = try await soon { try ownThreads().values.allSatisfy { $0 == home } }
            let threads = settled ? [:] : try ownThreads()
            #expect(settled, "\(threads)")
            // Threads of the pool may have slept meanwhile, so many tasks at once check their namespaces.
            let seen = try await withThrowingTaskGroup(of: String.self) { group in
                for _ in 0..<64 { group.addTask { try FilePath("/proc/thread-self/ns/net").linkTarget() } }
                return try await group.reduce(into: Set<String>()) { $0.insert($1) }
            }
            #expect(seen == [home])
            // Calls of other clients still see their own namespaces.
            #expect(try await IPVS().services().isEmpty)
        }
    }

    /// Two tasks run in each namespace; a setting identifies the namespace.
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
        // A task that is cancelled meanwhile leaves no thread behind either.
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
