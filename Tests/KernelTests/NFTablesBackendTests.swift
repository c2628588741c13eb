import IPVSKit
import MeshKit
import Netlink
import SystemPackage
import TestSupport
import Testing

@testable import RuleKit

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
                    var rules = RuleSet(role: .balancer(detour: Detour(.loopback, to: "10.77.0.2", by: "mesh77")))
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

        /// A long answer comes in pieces. If another program's transaction happens between two pieces, the answer is
        /// inconsistent, and its remaining pieces must not be taken for the answer to the next request.
        @Test func aReadThatIsDisturbedLeavesNothingForTheNext() async throws {
            try await BackendHost.with(backend: { NFTablesBackend(in: $0) }) { host in
                let (disturbed, whole) = try await host.namespace.thread {
                    try Self.make(1...1000)
                    var socket = try NetfilterSocket()
                    var disturbed: [Errno?] = []
                    var whole: [Int] = []
                    for number in 1001...1003 {
                        do throws(Errno) {
                            _ = try Self.countTables(with: &socket, making: number)
                            disturbed.append(nil)
                        } catch {
                            disturbed.append(error)
                        }
                        whole.append((try? Self.countTables(with: &socket)) ?? -1)
                    }
                    return (disturbed, whole)
                }
                #expect(disturbed == [.interrupted, .interrupted, .interrupted])
                #expect(whole == [1001, 1002, 1003])
            }
        }

        private static func make(_ tables: ClosedRange<Int>) throws(NetfilterSocket.Refusal) {
            guard var socket = try? NetfilterSocket() else { return }
            try socket.commit(subsystem: 10) { batch in
                for number in tables {  // NFT_MSG_NEWTABLE of NFPROTO_INET, NFTA_TABLE_NAME
                    batch.netfilterMessage(10 << 8, family: 1) { $0.put(1, string: "other\(number)") }
                }
            }
        }

        /// Counts the tables.
        ///
        /// - Parameter number: the number of a table that is created after some pieces have arrived.
        private static func countTables(
            with socket: inout NetfilterSocket, making number: Int? = nil
        ) throws(Errno) -> Int {
            var count = 0
            try socket.dump(10 << 8 | 1, family: 1) { _ in  // NFT_MSG_GETTABLE
                count += 1
                if count == 1, let number { try? make(number...number) }
            }
            return count
        }
    }
}
