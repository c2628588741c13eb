import Netlink
import SystemPackage
import Testing

@testable import IPVSKit

/// The bytes that are sent to the kernel: the same as ipvsadm's, except for the order of the attributes.
@Suite struct WireTests {
    /// The attributes of the request for a change, behind the netlink headers.
    private func request(_ change: Change) async throws -> [UInt8] {
        let sent = Locked<[UInt8]>([])
        let ipvs = IPVS { request in
            sent.withLock { $0 = Array(request[16...]) }
            return [reply(to: request, type: 2, payload: [0, 0, 0, 0])]
        }
        try await ipvs.perform([change]).get()
        return sent.withLock { $0 }
    }

    @Test func createFirewallMarkService() async throws {
        let service = VirtualService(id: .firewallMark(0x102, .ipv4), scheduler: .roundRobin)
        #expect(
            try await request(.createService(service)) == [
                1, 1, 0, 0,  // IPVS_CMD_NEW_SERVICE
                56, 0, 1, 0x80,
                6, 0, 1, 0, 2, 0, 0, 0,  // AF_INET
                8, 0, 5, 0, 0x02, 0x01, 0, 0,  // the mark, in host order
                7, 0, 6, 0, 0x72, 0x72, 0, 0,  // "rr"
                12, 0, 7, 0, 0, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF,  // flags, and a mask that means all
                8, 0, 8, 0, 0, 0, 0, 0,  // timeout
                8, 0, 9, 0, 0xFF, 0xFF, 0xFF, 0xFF,  // netmask
            ])
    }

    @Test func createIPv6ServiceSendsAPrefixAndNotAMask() async throws {
        let service = VirtualService(
            id: .address("fd00::1", port: 443, protocol: .udp), scheduler: .maglevHashing, flags: .hashFallback,
            persistence: .init(timeoutSeconds: 300, netmask: .prefix(64)))
        #expect(
            try await request(.createService(service)) == [
                1, 1, 0, 0,
                84, 0, 1, 0x80,
                6, 0, 1, 0, 10, 0, 0, 0,
                6, 0, 2, 0, 17, 0, 0, 0,
                20, 0, 3, 0, 0xFD, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1,
                6, 0, 4, 0, 0x01, 0xBB, 0, 0,  // the port, in network order
                7, 0, 6, 0, 0x6D, 0x68, 0, 0,
                12, 0, 7, 0, 0x09, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF,  // persistent, fallback
                8, 0, 8, 0, 0x2C, 0x01, 0, 0,
                8, 0, 9, 0, 64, 0, 0, 0,  // in host order
            ])
    }

    @Test func flagsGoWithAMaskOfThoseThatAreMeant() async throws {
        let sent = Locked<[UInt8]>([])
        let ipvs = IPVS { request in
            sent.withLock { $0 = Array(request[16...]) }
            return [reply(to: request, type: 2, payload: [0, 0, 0, 0])]
        }
        let service = VirtualService(
            id: .firewallMark(0x102, .ipv4), scheduler: .maglevHashing, flags: .hashPort,
            persistence: .init(timeoutSeconds: 300))
        try await ipvs.update(service, flags: [.hashFallback, .hashPort])
        #expect(
            sent.withLock { $0 } == [
                2, 1, 0, 0,  // IPVS_CMD_SET_SERVICE
                56, 0, 1, 0x80,
                6, 0, 1, 0, 2, 0, 0, 0,
                8, 0, 5, 0, 0x02, 0x01, 0, 0,
                7, 0, 6, 0, 0x6D, 0x68, 0, 0,
                12, 0, 7, 0, 0x11, 0, 0, 0, 0x19, 0, 0, 0,  // persistent and port; and fallback, to be cleared
                8, 0, 8, 0, 0x2C, 0x01, 0, 0,
                8, 0, 9, 0, 0xFF, 0xFF, 0xFF, 0xFF,
            ])
    }

    @Test func createDestination() async throws {
        let change = Change.createDestination(
            Destination("10.0.0.2", port: 80, weight: 3), of: .firewallMark(0x100, .ipv4))
        #expect(
            try await request(change) == [
                5, 1, 0, 0,
                20, 0, 1, 0x80, 6, 0, 1, 0, 2, 0, 0, 0, 8, 0, 5, 0, 0, 1, 0, 0,
                60, 0, 2, 0x80,
                6, 0, 11, 0, 2, 0, 0, 0,
                8, 0, 1, 0, 10, 0, 0, 2,
                6, 0, 2, 0, 0, 80, 0, 0,
                8, 0, 3, 0, 0, 0, 0, 0,
                8, 0, 4, 0, 3, 0, 0, 0,
                8, 0, 5, 0, 0, 0, 0, 0,
                8, 0, 6, 0, 0, 0, 0, 0,
            ])
    }

    /// The kernel would keep the value, but getsockopt would not return it, so that the tables would always differ.
    @Test func aTunnelIsSentWhereThereIsOne() async throws {
        func types(_ method: Destination.ForwardingMethod) async throws -> [UInt8] {
            let destination = Destination(
                "10.0.0.2", port: 80, forwarding: method, tunnel: .init(type: .gue, port: 6080, flags: .checksum))
            let sent = try await request(.updateDestination(destination, of: .firewallMark(0x100, .ipv4)))
            // Each attribute of the nest has eight bytes.
            return stride(from: 28, to: sent.count, by: 8).map { sent[$0 + 2] }
        }
        #expect(try await types(.masquerade) == [11, 1, 2, 3, 4, 5, 6])
        #expect(try await types(.tunnel) == [11, 1, 2, 3, 4, 5, 6, 13, 14, 15])
    }

    @Test func deletionsCarryTheKeyOnly() async throws {
        let id = VirtualService.ID.firewallMark(0x100, .ipv6)
        #expect(
            try await request(.deleteService(id)) == [
                3, 1, 0, 0, 20, 0, 1, 0x80, 6, 0, 1, 0, 10, 0, 0, 0, 8, 0, 5, 0, 0, 1, 0, 0,
            ])
        #expect(try await request(.deleteDestination(.init("fd00::2", port: 0), of: id)).count == 24 + 4 + 8 + 20 + 8)
    }

    /// A service as Linux 6.1 sends it, cut out of a dump: counters twice, narrow and wide.
    @Test func readsWhatTheKernelSends() async throws {
        let service: [UInt8] =
            [6, 0, 1, 0, 2, 0, 0, 0] + [8, 0, 5, 0, 0, 1, 0, 0] + [7, 0, 6, 0, 0x72, 0x72, 0, 0]
            + [12, 0, 7, 0, 2, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF] + [8, 0, 8, 0, 0, 0, 0, 0]
            + [8, 0, 9, 0, 0xFF, 0xFF, 0xFF, 0xFF] + [12, 0, 10, 0] + [8, 0, 1, 0, 7, 0, 0, 0]
            + [16, 0, 12, 0] + [12, 0, 1, 0, 9, 0, 0, 0, 1, 0, 0, 0] + [5, 0, 99, 0, 1, 0, 0, 0]
        let ipvs = IPVS { request in
            [
                reply(
                    to: request, type: UInt16(0x1F),
                    payload: [1, 1, 0, 0] + [UInt8(4 + service.count), 0, 1, 0] + service),
                reply(to: request, type: 3, payload: [0, 0, 0, 0]),
            ]
        }
        let found = try await ipvs.services()
        #expect(found.map(\.service) == [VirtualService(id: .firewallMark(0x100, .ipv4), scheduler: .roundRobin)])
        #expect(found.first?.statistics.connections == 0x1_0000_0009, "the wide counter counts")
        #expect(found.first?.unknownAttributes == [UnknownAttribute(type: 99, bytes: [1])], "kept as it came")
    }

    /// 65,536 bytes would not fit an attribute's length; the kernel takes 15.
    @Test(arguments: ["", "sixteen bytes lon", String(repeating: "x", count: 70_000), "r\0r"])
    func namesThatTheKernelHasNoRoomForAreRefusedBeforeAnythingIsSent(name: String) async throws {
        let ipvs = IPVS { _ in
            Issue.record("something was sent")
            return []
        }
        let service = VirtualService(id: .firewallMark(1, .ipv4), scheduler: Scheduler(rawValue: name))
        let byScheduler = await #expect(throws: IPVSError.self) { try await ipvs.create(service) }
        #expect(byScheduler?.code == .invalid)
        let engine = VirtualService(id: .firewallMark(1, .ipv4), persistenceEngine: name)
        let byEngine = await #expect(throws: IPVSError.self) { try await ipvs.create(engine) }
        #expect(byEngine?.code == .invalid)
        let daemon = SyncDaemon(role: .master, interface: name)
        let byInterface = await #expect(throws: IPVSError.self) { try await ipvs.start(daemon) }
        #expect(byInterface?.code == .invalid)
    }

    /// Values that the kernel accepts and stores as other values.
    @Test func whatTheKernelWouldSilentlyMistakeIsRefusedBeforeAnythingIsSent() async throws {
        let ipvs = IPVS { _ in
            Issue.record("something was sent")
            return []
        }
        let mark = VirtualService.ID.firewallMark(1, .ipv4)
        func hint(_ body: () async throws -> Void) async -> String? {
            do {
                try await body()
                return nil
            } catch {
                #expect((error as? IPVSError)?.code == .invalid)
                return (error as? IPVSError)?.hint
            }
        }
        let forever = VirtualService(id: mark, persistence: .init(timeoutSeconds: 4_294_968))
        #expect(await hint { try await ipvs.create(forever) }?.contains("4294967 seconds") == true)
        #expect(await hint { try await ipvs.update(forever) }?.contains("4294967 seconds") == true)
        #expect(await hint { try await ipvs.update(forever, flags: []) }?.contains("4294967 seconds") == true)
        let icmp = VirtualService(id: .address("10.0.0.1", port: 1, protocol: .init(rawValue: 1)))
        #expect(await hint { try await ipvs.create(icmp) }?.contains("TCP, UDP and SCTP") == true)
        let daemon = SyncDaemon(role: .backup, interface: "eth0", maximumLength: 500)
        #expect(await hint { try await ipvs.start(daemon) }?.contains("1024 to 65507") == true)
    }

    @Test func anEntryWithoutWhatMakesItOneIsAnError() async throws {
        let ipvs = IPVS { request in
            [
                reply(to: request, type: 0x1F, payload: [1, 1, 0, 0, 12, 0, 1, 0, 6, 0, 1, 0, 2, 0, 0, 0]),
                reply(to: request, type: 3, payload: [0, 0, 0, 0]),
            ]
        }
        let error = await #expect(throws: IPVSError.self) { try await ipvs.services() }
        #expect(error?.code == .communication)
    }
}

/// A message that answers a request.
func reply(to request: [UInt8], type: UInt16, payload: [UInt8]) -> [UInt8] {
    let length = UInt32(16 + payload.count)
    var message = withUnsafeBytes(of: length) { Array($0) } + withUnsafeBytes(of: type) { Array($0) } + [0, 0]
    message += request[8..<12] + [0, 0, 0, 0] + payload
    return message + [UInt8](repeating: 0, count: aligned(message.count) - message.count)
}
