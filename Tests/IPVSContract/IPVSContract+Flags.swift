import IPVSKit
import SystemPackage
import Testing

extension IPVSContract {
    static func flagsThatAreNotNamedStay(_ ipvs: IPVS) async throws {
        // A flag without a name, as a newer kernel may have, is kept like any other.
        let nameless = VirtualService.Flags(rawValue: 0x20)
        var service = VirtualService(
            id: mark6, scheduler: .sourceHashing, flags: [.hashFallback, nameless],
            persistence: .init(timeoutSeconds: 77, netmask: .prefix(64)), persistenceEngine: "sip")
        try await ipvs.create(service)
        try await ipvs.create(Destination("fd02::1", port: 80), of: mark6)
        func expect(_ flags: VirtualService.Flags, sourceLocation: SourceLocation = #_sourceLocation) async throws {
            service.flags = flags
            let found = try await ipvs.service(mark6)
            #expect(found.service == service, sourceLocation: sourceLocation)
            #expect(found.destinations.count == 1, sourceLocation: sourceLocation)
        }

        try await ipvs.update(mark6, setting: .hashPort)
        try await expect([.hashFallback, .hashPort, nameless])
        try await ipvs.update(mark6, setting: .onePacket, clearing: [.hashFallback, .hashPort])
        try await expect([.onePacket, nameless])
        try await ipvs.update(mark6)
        try await expect([.onePacket, nameless])
        try await ipvs.update(mark6, clearing: .init(rawValue: .max))
        try await expect([])

        // Everything except the flags is replaced, and flags outside the mask are ignored.
        try await ipvs.update(mark6, setting: [.onePacket, .hashPort])
        service = VirtualService(
            id: mark6, scheduler: .maglevHashing, flags: [.hashFallback, nameless],
            persistence: .init(netmask: .prefix(48)))
        try await ipvs.update(service, flags: [.hashFallback, .hashPort])
        try await expect([.onePacket, .hashFallback])
        service.persistence = nil
        try await ipvs.update(service, flags: [])
        try await expect([.onePacket, .hashFallback])

        var error = await #expect(throws: IPVSError.self) { try await ipvs.update(mark4, setting: .onePacket) }
        #expect(error?.code == .serviceNotFound && error?.errno == .noSuchProcess)
        error = await #expect(throws: IPVSError.self) {
            try await ipvs.update(VirtualService(id: mark4), flags: .onePacket)
        }
        #expect(error?.code == .serviceNotFound && error?.errno == .noSuchProcess)
        error = await #expect(throws: IPVSError.self) {
            try await ipvs.update(VirtualService(id: mark6, scheduler: "nosuch"), flags: .onePacket)
        }
        #expect(error?.code == .schedulerNotFound && error?.errno == .noSuchFileOrDirectory)
        #expect(error?.hint == "the kernel has no module ip_vs_nosuch")
        try await expect([.onePacket, .hashFallback])
    }

    /// Two programs that read, change and write all flags would sooner or later undo each other's changes.
    static func tasksChangeFlagsOfOneServiceEachItsOwn(_ ipvs: IPVS) async throws {
        try await ipvs.create(VirtualService(id: mark4, scheduler: .sourceHashing))
        let flags: [VirtualService.Flags] = [.onePacket, .hashFallback, .hashPort, .init(rawValue: 0x20)]
        try await withThrowingTaskGroup(of: Void.self) { group in
            for (number, flag) in flags.enumerated() {
                group.addTask {
                    for round in 0..<50 {
                        let isSet = round.isMultiple(of: 2)
                        if number.isMultiple(of: 2) {
                            try await ipvs.update(mark4, setting: isSet ? flag : [], clearing: isSet ? [] : flag)
                        } else {
                            try await ipvs.modify(mark4) {
                                if isSet { $0.flags.insert(flag) } else { $0.flags.remove(flag) }
                            }
                        }
                        let found = try await ipvs.service(mark4).service.flags
                        #expect(found.contains(flag) == isSet, "round \(round) of \(number)")
                    }
                }
            }
            try await group.waitForAll()
        }
    }
}
