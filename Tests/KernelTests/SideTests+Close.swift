import IPVSKit
import TestSupport
import Testing

extension KernelTests.SideTests {
    /// A client holds the descriptors and threads that the article Performance counts, and a closed client holds none.
    @Test func aClosedClientHoldsNothing() async throws {
        struct Held: Equatable {
            var sockets = 0
            var namespaces = 0
            var wakeUps = 0
            var threads = 0

            init() throws {
                let descriptors = try openDescriptors()
                sockets = try genericNetlinkSockets().count
                namespaces = descriptors.count { $0.hasPrefix("net:[") || $0.hasPrefix("/run/netns/") }
                wakeUps = descriptors.count { $0 == "anon_inode:[eventfd]" }
                threads = try ownThreads().count
            }
        }
        try await Topology.with { topology in
            let name = try await topology.namespace("closed").name
            // Starts the threads that all clients share. The thread of the client closes the socket, and then what it holds
            // of the namespace.
            let first = try Held().namespaces
            try await IPVS(in: .named(name)).create(VirtualService(id: .firewallMark(1, .ipv4)))
            #expect(try await soon { try genericNetlinkSockets().isEmpty && Held().namespaces <= first })
            let before = try Held()

            let clients = try (0..<20).map { _ throws(IPVSError) in try IPVS(in: .named(name)) }
            #expect(try Held().namespaces == before.namespaces + 20, "the first is there from the beginning")
            for client in clients { #expect(try await client.services().count == 1) }
            let during = try Held()
            print("SideTests: 20 clients hold \(during), none \(before)")
            #expect(during.sockets == 20 && during.namespaces == before.namespaces + 20)
            // The thread for deadlines, which all clients share, may start or end meanwhile.
            #expect(during.wakeUps >= before.wakeUps + 19 && during.threads >= before.threads + 19)

            for client in clients { client.close() }
            let isFree = try await soon {
                let after = try Held()
                return after.sockets == 0 && after.namespaces == before.namespaces
                    && after.wakeUps <= before.wakeUps + 1 && after.threads <= before.threads + 1
            }
            let after = try Held()
            #expect(isFree, "\(after)")
            for client in clients {
                let error = await #expect(throws: IPVSError.self) { try await client.services() }
                #expect(error?.code == .closed)
            }
        }
    }

    /// Other tasks read by both interfaces and by files meanwhile, each in a loop that ends only when the client is
    /// closed.
    @Test func closingAmongCallsEndsThem() async throws {
        try await Topology.with { topology in
            let name = try await topology.namespace("closed").name
            for _ in 0..<20 {
                let ipvs = try IPVS(in: .named(name))
                let readers: [@Sendable () async throws -> Void] = [
                    { _ = try await ipvs.table() }, { _ = try await ipvs.status() },
                    { _ = try await ipvs.setting(.conntrack) }, { for try await _ in ipvs.connections() {} },
                    { try await ipvs.createOrUpdate(VirtualService(id: .firewallMark(1, .ipv4))) },
                ]
                let tasks = readers.map { reader in
                    Task { while true { try await reader() } }
                }
                try await Task.sleep(for: .milliseconds(.random(in: 1...30)))
                ipvs.close()
                for (number, task) in tasks.enumerated() {
                    let error = await #expect(throws: IPVSError.self) { try await task.value }
                    #expect(error?.code == .closed, "\(number): \(String(describing: error))")
                }
            }
            #expect(try await soon { try genericNetlinkSockets().isEmpty })
        }
    }
}
