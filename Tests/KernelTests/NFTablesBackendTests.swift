import IPVSKit
import MeshKit
import Netlink
import SystemPackage
import TestSupport
import Testing

@testable import RuleKit

#if canImport(Glibc)
    import Glibc
#endif

extension KernelTests {
    /// Tests the backend alone, in a namespace: it reads back what it writes into the kernel.
    @Suite(.enabled(if: RuleTool.tested.contains(.nftables))) struct NFTablesBackendTests {
        @Test func whatIsWrittenIsReadBack() async throws {
            try await BackendHost.with(backend: { NFTablesBackend(in: $0) }) { host in
                var rules = RuleSet.everything
                rules.ports[PortBinding(40000...49999, .udp)] = PortRule(mark: 0x120)
                // In these sets each port is an element of its own.
                rules.ports[PortBinding(10000...19999, .udp, at: "10.1.0.1")] = PortRule(mark: 0x121)
                rules.ports[PortBinding(10000...11999, .tcp, at: "fd01::1")] = PortRule(mark: 0x122, target: 30000)
                try await host.reconcile(rules)
                #expect(try await host.changes(to: rules).isEmpty)
                try await host.reconcile(.everything)
                #expect(try await host.changes(to: .everything).isEmpty)
                try await host.reconcile(RuleSet())
                #expect(try await host.backend.read(expecting: rules.role) == ObservedRules())
            }
        }

        /// A damaged table, and every table that this version of nft lists in other words than ours, is compared with
        /// the listing of our rules. That listing is made once, also for other processes.
        @Test func aNamespaceToCompareWithIsMadeOnce() async throws {
            try await TemporaryDirectory.with { directory in
                try await BackendHost.with(backend: { NFTablesBackend(in: $0, cache: directory) }) { host in
                    // The rules differ from those of every other test.
                    var rules = RuleSet(role: .balancer(detour: Detour(to: ["10.77.0.2"], by: "mesh77")))
                    rules.ports[PortBinding(1080, .tcp)] = PortRule(mark: 0x100)
                    let text = NFTablesSkeleton(rules.role).text
                    func made() -> Int { NFTablesWordings.made.withLock { $0[text] ?? 0 } }
                    try await host.reconcile(rules)
                    try await host.namespace.check("nft", "add", "rule", "inet", "meshctl", "marking", "accept")
                    for _ in 1...3 {
                        let found = try await host.backend.read(expecting: rules.role)
                        #expect(
                            found.skeleton
                                == .damaged([RuleFault("nft inet meshctl chain marking: not ours: accept")]))
                        #expect(made() == 1)
                    }
                    NFTablesWordings.forget(text)
                    _ = try await host.backend.read(expecting: rules.role)
                    #expect(made() == 1)

                    // A listing of another kernel or library is ignored.
                    let file = directory.appending("nft-wordings.json")
                    try file.write(try file.text().replacing("\"kernel\":\"", with: "\"kernel\":\"not "))
                    NFTablesWordings.forget(text)
                    _ = try await host.backend.read(expecting: rules.role)
                    #expect(made() == 2)
                }
            }
        }

        /// If one network lies in another, the kernel accepts the new one only after the old one is removed.
        @Test func networksBecomeNarrowerAndWider() async throws {
            let steps: [Set<IPPrefix>] = [
                ["10.0.0.0/8", "fd00::/16"], ["10.1.0.0/16", "10.1.2.3", "fd00::/64", "fd00::1"],
                ["10.1.2.0/24", "10.2.0.0/16", "fd00:0:0:1::/64"], ["10.0.0.0/8", "10.1.0.0/16", "::/0"],
                ["0.0.0.0/0", "10.1.2.3"],
            ]
            try await BackendHost.with(backend: { NFTablesBackend(in: $0) }) { host in
                for networks in steps + steps.reversed() {
                    var rules = RuleSet()
                    rules.ports[PortBinding(1080, .tcp)] = PortRule(mark: 0x100, allowed: networks)
                    rules.ports[PortBinding(1081, .tcp)] = PortRule(mark: 0x101, allowed: ["10.0.0.0/8"])
                    rules.hairpins = networks
                    try await host.reconcile(rules)
                    #expect(try await host.changes(to: rules).isEmpty)
                }
            }
        }

        /// A long answer comes in pieces. Another's transaction between two of them makes it no picture of any moment, so
        /// that it is asked for again; and what is left of it must not be taken for the answer to what is asked next.
        @Test func aReadThatIsDisturbedIsReadAgain() async throws {
            try await BackendHost.with(backend: { NFTablesBackend(in: $0) }) { host in
                let handle = try NetworkNamespace.named(host.namespace.name).open()
                let (client, other) = (
                    NetlinkClient(.netfilter, namespace: handle), NetlinkClient(.netfilter, namespace: handle)
                )
                try await Self.make(1...1000, by: other)
                for number in 1001...1003 {
                    let disturbance = Locked(Disturbance.awaited)
                    let maker = Task {
                        while disturbance.withLock({ $0 == .awaited }) { try await Task.sleep(for: .milliseconds(1)) }
                        try await Self.make(number...number, by: other)
                        disturbance.withLock { $0 = .done }
                    }
                    let (count, readings) = try await Self.countTables(by: client) {
                        disturbance.withLock { $0 = .wanted }
                        while disturbance.withLock({ $0 == .wanted }) { usleep(1000) }
                    }
                    try await maker.value
                    #expect(count == number && readings == 2)
                    let (again, once) = try await Self.countTables(by: client) {}
                    #expect(again == number && once == 1)
                }
            }
        }

        private enum Disturbance { case awaited, wanted, done }

        private static func make(_ tables: ClosedRange<Int>, by client: NetlinkClient) async throws {
            let numbers = Array(tables)
            let messages = Messages(numbers.count) { range, writer in
                for number in numbers[range] {  // NFT_MSG_NEWTABLE of NFPROTO_INET, NFTA_TABLE_NAME
                    writer.netfilterMessage(10 << 8, family: 1) { $0.put(1, string: "other\(number)") }
                }
            }
            let refusal = try await client.commit(messages, subsystem: 10, deadline: .seconds(30))
            #expect(refusal == nil)
        }

        /// How many tables there are, and how often that was read.
        ///
        /// - Parameter disturb: called once, when the first table has come.
        private static func countTables(
            by client: NetlinkClient, _ disturb: @escaping () -> Void
        ) async throws -> (count: Int, readings: Int) {
            let counts = Counts()
            let request = Messages {
                $0.netfilterMessage(10 << 8 | 1, family: 1, flags: NetlinkFlags.dump)  // NFT_MSG_GETTABLE
            }
            try await client.dump(request, deadline: .seconds(30)) { _ in
                counts.readings += 1
                counts.tables = 0
            } handler: { _, _ in
                counts.tables += 1
                if counts.tables == 1, counts.readings == 1 { disturb() }
            }.check()
            return (counts.tables, counts.readings)
        }

        private final class Counts {
            var tables = 0
            var readings = 1
        }

        /// All of a transaction or none of it, and the message that is in the way is named.
        @Test func aTransactionThatIsRefusedDoesNothing() async throws {
            try await BackendHost.with(backend: { NFTablesBackend(in: $0) }) { host in
                let handle = try NetworkNamespace.named(host.namespace.name).open()
                let client = NetlinkClient(.netfilter, namespace: handle)
                let messages = Messages(3) { range, writer in
                    for index in range {
                        // The second deletes a table that there is not: NFT_MSG_DELTABLE.
                        let type: UInt16 = index == 1 ? 10 << 8 | 2 : 10 << 8
                        writer.netfilterMessage(type, family: 1) { $0.put(1, string: "table\(index)") }
                    }
                }
                let refusal = try await client.commit(messages, subsystem: 10, deadline: .seconds(30))
                #expect(refusal?.index == 1 && refusal?.errno == .noSuchFileOrDirectory)
                #expect(try await Self.countTables(by: client) {}.count == 0)
                // No subsystem has this number: nothing is looked at.
                let none = try await client.commit(messages, subsystem: 99, deadline: .seconds(30))
                #expect(none != nil && none?.index == nil)
            }
        }
    }
}
