import IPVSKit
import SystemPackage
import Testing

extension IPVSContract {
    private static func expect(
        _ code: IPVSError.Code, _ errno: Errno?, _ body: () async throws -> Void,
        sourceLocation: SourceLocation = #_sourceLocation
    ) async {
        let error = await #expect(throws: IPVSError.self, sourceLocation: sourceLocation) { try await body() }
        #expect(error?.code == code, sourceLocation: sourceLocation)
        #expect(error?.errno == errno, sourceLocation: sourceLocation)
    }

    /// The kernel's errno for each command, and our code for it.
    static func errors(_ ipvs: IPVS) async throws {
        let service = VirtualService(id: mark4)
        let destination = Destination("10.2.0.1", port: 80)
        await expect(.serviceNotFound, .noSuchProcess) { try await ipvs.delete(mark4) }
        await expect(.serviceNotFound, .noSuchProcess) { try await ipvs.update(service) }
        await expect(.serviceNotFound, .noSuchProcess) { _ = try await ipvs.service(mark4) }
        await expect(.serviceNotFound, .noSuchProcess) { try await ipvs.create(destination, of: mark4) }
        await expect(.schedulerNotFound, .noSuchFileOrDirectory) {
            try await ipvs.create(VirtualService(id: mark4, scheduler: "nosuch"))
        }
        try await ipvs.create(service)
        await expect(.serviceExists, .fileExists) { try await ipvs.create(service) }
        await expect(.destinationNotFound, .noSuchFileOrDirectory) { try await ipvs.update(destination, of: mark4) }
        await expect(.destinationNotFound, .noSuchFileOrDirectory) {
            try await ipvs.delete(destination.id, of: mark4)
        }
        try await ipvs.create(destination, of: mark4)
        await expect(.destinationExists, .fileExists) { try await ipvs.create(destination, of: mark4) }
        await expect(.invalid, .invalidArgument) {
            try await ipvs.create(Destination("224.0.0.1", port: 80), of: mark4)
        }
        await expect(.outOfRange, .outOfRange) {
            try await ipvs.update(Destination("10.2.0.1", port: 80, weight: .max), of: mark4)
        }
        await expect(.serviceNotFound, .noSuchProcess) { try await ipvs.delete(mark6) }
        #expect(try await ipvs.service(mark4).destinations.map(\.destination) == [destination])
    }

    static func errorsOfUpdates(_ ipvs: IPVS) async throws {
        let destination = Destination("10.2.0.1", port: 80)
        await expect(.serviceNotFound, .noSuchProcess) { try await ipvs.update(destination, of: mark4) }
        await expect(.serviceNotFound, .noSuchProcess) { try await ipvs.delete(destination.id, of: mark4) }
        await expect(.persistenceEngineNotFound, .noSuchFileOrDirectory) {
            try await ipvs.create(VirtualService(id: mark4, persistence: .init(), persistenceEngine: "nosuch"))
        }
        // The change is refused without asking the kernel.
        for netmask: VirtualService.Persistence.Netmask in [.prefix(0), .prefix(129), .mask(0xFF00_FF00)] {
            await expect(.invalid, nil) {
                try await ipvs.create(VirtualService(id: mark6, persistence: .init(netmask: netmask)))
            }
        }
        await expect(.invalid, nil) {
            try await ipvs.create(VirtualService(id: mark4, persistence: .init(netmask: .prefix(33))))
        }
        let service = VirtualService(id: mark4, scheduler: .weightedRoundRobin, flags: .onePacket)
        try await ipvs.create(service)
        try await ipvs.create(destination, of: mark4)
        // Of two mistakes, this one is reported.
        await expect(.serviceExists, .fileExists) {
            try await ipvs.create(VirtualService(id: mark4, scheduler: "nosuch"))
        }
        await expect(.outOfRange, .outOfRange) {
            try await ipvs.create(Destination("10.2.0.1", port: 80, weight: .max), of: mark4)
        }
        await expect(.destinationExists, .fileExists) { try await ipvs.create(destination, of: mark4) }
        await expect(.schedulerNotFound, .noSuchFileOrDirectory) {
            try await ipvs.update(VirtualService(id: mark4, scheduler: "nosuch"))
        }
        for (upper, lower) in [(UInt32(1), UInt32(2)), (0, 1)] {
            await expect(.outOfRange, .outOfRange) {
                try await ipvs.create(
                    Destination("10.2.0.2", port: 80, upperThreshold: upper, lowerThreshold: lower), of: mark4)
            }
        }
        let found = try await ipvs.service(mark4)
        #expect(found.service == service && found.destinations.map(\.destination) == [destination])
        try await ipvs.update(
            Destination("10.2.0.1", port: 80, weight: 0x7FFF_FFFF, upperThreshold: 2, lowerThreshold: 2), of: mark4)
        try await ipvs.update(VirtualService(id: mark4))
        let changed = try await ipvs.service(mark4)
        #expect(changed.service == VirtualService(id: mark4))
        #expect(changed.destinations.map(\.destination.weight) == [0x7FFF_FFFF])
    }

    static func destinationsThatNoPacketCanReach(_ ipvs: IPVS) async throws {
        try await ipvs.create(VirtualService(id: mark4))
        try await ipvs.create(VirtualService(id: mark6))
        for address: IPAddress in ["0.0.0.0", "224.0.0.1", "239.255.255.255", "255.255.255.255"] {
            await expect(.invalid, .invalidArgument) {
                try await ipvs.create(Destination(address, port: 80), of: mark4)
            }
        }
        for address: IPAddress in ["::", "ff02::1", "fe80::1", "::ffff:10.0.0.1"] {
            await expect(.invalid, .invalidArgument) {
                try await ipvs.create(Destination(address, port: 80), of: mark6)
            }
        }
        // These addresses look special but are accepted.
        for address: IPAddress in ["0.0.0.1", "240.0.0.1", "169.254.0.1", "127.0.0.1"] {
            try await ipvs.create(Destination(address, port: 80), of: mark4)
        }
        for address: IPAddress in ["::1", "::10.0.0.1", "fec0::1", "64:ff9b::1"] {
            try await ipvs.create(Destination(address, port: 80), of: mark6)
        }
        let counts = try await ipvs.status().map(\.destinations.count)
        #expect(counts == [4, 4])
    }

    static func tunnelsAndFamilies(_ ipvs: IPVS) async throws {
        try await ipvs.create(VirtualService(id: mark4))
        await expect(.invalid, .invalidArgument) {
            try await ipvs.create(
                Destination("10.2.0.1", port: 80, forwarding: .tunnel, tunnel: .init(type: .gue)), of: mark4)
        }
        for method: Destination.ForwardingMethod in [.masquerade, .directRoute, .local] {
            await expect(.invalid, .invalidArgument) {
                try await ipvs.create(Destination("fd02::1", port: 80, forwarding: method), of: mark4)
            }
        }
        let other = Destination("fd02::1", port: 80, forwarding: .tunnel)
        await expect(.destinationNotFound, .noSuchFileOrDirectory) { try await ipvs.delete(other.id, of: mark4) }
        try await ipvs.create(other, of: mark4)
        // Missing tunnel attributes reset the tunnel.
        let tunnelled = Destination(
            "10.2.0.1", port: 80, forwarding: .tunnel, tunnel: .init(type: .gre, flags: .checksum))
        try await ipvs.create(tunnelled, of: mark4)
        #expect(try await ipvs.service(mark4).destinations.map(\.destination) == [tunnelled, other])
        let plain = Destination("10.2.0.1", port: 80)
        try await ipvs.update(plain, of: mark4)
        #expect(try await ipvs.service(mark4).destinations.map(\.destination) == [plain, other])
        try await ipvs.delete(other.id, of: mark4)
        #expect(try await ipvs.service(mark4).destinations.map(\.destination) == [plain])
    }

    static func aServiceThatIsAbsentHasNoDestinations(_ ipvs: IPVS) async throws {
        #expect(try await ipvs.destinations(of: mark4) == [])
        #expect(try await ipvs.services() == [])
        #expect(try await ipvs.status() == [])
    }
}
