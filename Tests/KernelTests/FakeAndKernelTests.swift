import IPVSKit
import IPVSKitTesting
import SystemPackage
import TestSupport
import Testing

extension KernelTests {
    /// Thousands of changes, good and bad, to the fake and to the kernel: each refuses the same ones with the same
    /// errno, and in the end both hold the same.
    @Suite struct FakeAndKernelTests {
        @Test(arguments: [UInt64(1), 2, 3]) func theyAnswerAlike(seed: UInt64) async throws {
            try await Topology.with { topology in
                let kernel = try IPVS(in: .named(try await topology.namespace("ipvs").name))
                let fake = FakeIPVS()
                var random = SeededGenerator(seed: seed)
                var done = 0
                var refusals: Set<Errno> = []
                for _ in 0..<10 {
                    let changes = (0..<100).map { _ in Change.random(using: &random) }
                    // Requests that our client never sends are included, because other programs may send them.
                    let wanted = try await kernel.performUnchecked(changes)
                    let found = try await fake.client.performUnchecked(changes)
                    #expect(found.interruption == nil && wanted.interruption == nil)
                    done += wanted.count - wanted.failures.count
                    refusals.formUnion(wanted.failures.compactMap(\.error.errno))
                    for (index, change) in changes.enumerated() {
                        #expect(found[index] == wanted[index], "\(change)")
                    }
                    let held = Self.sorted(try await kernel.status())
                    #expect(Self.sorted(try await fake.client.status()) == held)
                }
                // Otherwise the changes would have tested nothing.
                #expect(done > 100)
                #expect(
                    refusals == [.fileExists, .noSuchProcess, .noSuchFileOrDirectory, .invalidArgument, .outOfRange])
            }
        }

        /// Sorts services; destinations stay in the kernel's order.
        private static func sorted(_ status: [VirtualServiceStatus]) -> [VirtualServiceStatus] {
            status.sorted { $0.id < $1.id }
        }
    }
}

extension Change {
    /// The changes use few objects, so that they often meet, and values that are sometimes wrong.
    fileprivate static func random(using random: inout SeededGenerator) -> Self {
        func one<Value>(of values: Value...) -> Value { values.randomElement(using: &random)! }
        let id: VirtualService.ID = one(
            of: .firewallMark(1, .ipv4), .firewallMark(1, .ipv6), .firewallMark(2, .ipv4),
            .address("10.1.0.1", port: 80, protocol: .tcp), .address("10.1.0.1", port: 80, protocol: .udp),
            .address("fd00::1", port: 80, protocol: .tcp))
        let scheduler: Scheduler = one(of: .roundRobin, .weightedLeastConnection, .sourceHashing, "none", "nosuch")
        let flags: VirtualService.Flags = one(of: [], .onePacket, [.hashFallback, .hashPort])
        let netmask: VirtualService.Persistence.Netmask? =
            id.family == .ipv4 ? one(of: nil, .prefix(0), .prefix(24), .mask(0xFF00_FF00)) : one(of: nil, .prefix(64))
        let timeout: UInt32 = one(of: 0, 1, 300, 1_000_000)
        let service = VirtualService(
            id: id, scheduler: scheduler, flags: flags,
            persistence: one(of: nil, .init(timeoutSeconds: timeout, netmask: netmask)),
            persistenceEngine: one(of: nil, nil, nil, "nosuch"))
        let address: IPAddress = one(
            of: "10.2.0.1", "10.2.0.2", "127.0.0.1", "fd02::1", "fd02::2", "::1", "0.0.0.0", "224.0.0.1", "fe80::1")
        let port: UInt16 = one(of: 0, 80, 8080)
        let method: Destination.ForwardingMethod = one(
            of: .masquerade, .local, .tunnel, .tunnel, .directRoute, .bypass, .init(rawValue: 5), .init(rawValue: 9))
        let weight: UInt32 = one(of: 0, 1, 7, 0x7FFF_FFFF, 0x8000_0000)
        let (upper, lower): (UInt32, UInt32) = one(of: (0, 0), (0, 0), (10, 5), (5, 5), (5, 6))
        let (type, tunnelPort): (UInt8, UInt16) = one(of: (0, 0), (0, 9), (1, 6080), (1, 0), (2, 0), (3, 1))
        let destination = Destination(
            address, port: port, weight: weight, forwarding: method, upperThreshold: upper, lowerThreshold: lower,
            tunnel: .init(
                type: .init(rawValue: type), port: tunnelPort, flags: one(of: [], .checksum, .remoteChecksum)))
        return one(
            of: .createService(service), .createService(service), .updateService(service), .deleteService(id),
            .createDestination(destination, of: id), .createDestination(destination, of: id),
            .createDestination(destination, of: id), .createDestination(destination, of: id),
            .updateDestination(destination, of: id), .updateDestination(destination, of: id),
            .deleteDestination(destination.id, of: id))
    }
}
