import IPVSKit
@testable import IPVSKitTesting
import Synchronization
import SystemPackage
import Testing

/// A kernel that is a closure.
@Suite(.timeLimit(.minutes(1))) struct SimulatedKernelTests {
    private static let web = VirtualService.ID.address("10.0.0.1", port: 443, protocol: .udp)

    /// The requests that the kernel receives for each change of a batch.
    @Test func aRequestIsDecoded() async throws {
        let service = VirtualService(
            id: Self.web, scheduler: "sh", flags: .hashPort,
            persistence: .init(timeoutSeconds: 9, netmask: .prefix(16)),
            persistenceEngine: "sip")
        let destination = Destination(
            "fd00::1", port: 443, weight: 3, forwarding: .tunnel, upperThreshold: 5, lowerThreshold: 4,
            tunnel: .init(type: .gue, port: 6080, flags: .checksum))
        let ipvs = IPVS(simulating: { (request: SimulatedRequest) -> [SimulatedReply] in
            #expect(request.serviceID == Self.web)
            #expect(!request.isDump)
            switch request.command {
            case .newService, .setService:
                #expect(request.service == service)
                #expect(request.destinationID == nil && request.destination == nil)
            case .newDestination, .setDestination:
                #expect(request.service == nil, "it is named, and not described")
                #expect(request.destination == destination)
                #expect(request.destinationID == destination.id)
            case .deleteDestination:
                #expect(request.destination == nil)
                #expect(request.destinationID == destination.id)
            case .deleteService:
                #expect(request.service == nil)
                #expect(request.wantsAcknowledgement, "the last of a batch does")
                #expect(request.attributes.map(\.type) == [1])
                // AF_INET, UDP, the address, the port.
                #expect(
                    request.attributes[0].nested.map(\.bytes) == [[2, 0], [17, 0], [10, 0, 0, 1], [0x01, 0xBB]])
            default:
                Issue.record("unexpected \(request.command)")
            }
            return [.acknowledgement]
        })
        try await ipvs.perform([
            .createService(service), .updateService(service), .createDestination(destination, of: Self.web),
            .updateDestination(destination, of: Self.web), .deleteDestination(destination.id, of: Self.web),
            .deleteService(Self.web),
        ]).get()
    }

    /// Flags outside the mask are not sent.
    @Test func theMaskOfFlagsIsDecoded() async throws {
        let service = VirtualService(id: Self.web, scheduler: .maglevHashing, flags: .init(rawValue: .max))
        let ipvs = IPVS(simulating: { (request: SimulatedRequest) -> [SimulatedReply] in
            switch request.command {
            case .getService:
                #expect(request.flagsMask == nil)
                return [.service(VirtualServiceSummary(service: service)), .acknowledgement]
            case .newService:
                #expect(request.flagsMask == .init(rawValue: .max))
            case .setService:
                #expect(request.flagsMask == [.onePacket, .hashFallback])
                #expect(request.service?.flags == .onePacket)
            default:
                Issue.record("unexpected \(request.command)")
            }
            return [.acknowledgement]
        })
        try await ipvs.create(service)
        try await ipvs.update(Self.web, setting: .onePacket, clearing: .hashFallback)
        try await ipvs.update(
            VirtualService(id: Self.web, flags: [.onePacket, .hashPort]), flags: [.onePacket, .hashFallback])
    }

    @Test func eachKindOfReplyIsRead() async throws {
        var statistics = Statistics()
        statistics.outgoingBytes = 1 << 40
        let service = VirtualServiceStatus(
            service: VirtualService(id: Self.web, flags: .onePacket, persistence: .init(timeoutSeconds: 3)),
            statistics: statistics)
        let destinations = (UInt32(1)...300).map {
            DestinationStatus(
                destination: Destination(IPAddress(ipv4: 10 << 24 | $0), port: 80, weight: $0), statistics: statistics)
        }
        let daemon = SyncDaemon(
            role: .backup, interface: "eth0", syncID: 7, maximumLength: 1400, group: "ff02::1", port: 99, timeToLive: 3)
        let ipvs = IPVS(simulating: { (request: SimulatedRequest) -> [SimulatedReply] in
            switch request.command {
            case .getService: [.service(service.summary), .done]
            case .getDestination: destinations.map { .destination($0) } + [.done]
            case .getDaemon: [.daemon(daemon), .done]
            case .getConfiguration: [.timeouts(Timeouts(tcpSeconds: 1, udpSeconds: 3)), .acknowledgement]
            case .getInfo: [.info(version: 0x01_0203, connectionTableSize: 16), .acknowledgement]
            default: [.error(.notPermitted)]
            }
        })
        var whole = service
        whole.destinations = destinations
        #expect(try await ipvs.status() == [whole])
        #expect(try await ipvs.daemons() == [daemon])
        #expect(try await ipvs.timeouts() == Timeouts(tcpSeconds: 1, udpSeconds: 3))
        let info = try await ipvs.info()
        #expect(info.version.description == "1.2.3" && info.connectionTableSize == 16)
        let error = await #expect(throws: IPVSError.self) { try await ipvs.flush() }
        #expect(error?.code == .notPermitted)
    }

    @Test func whatHasNoNameIsRepliedToo() async throws {
        let unknown = [UnknownAttribute(type: 99, bytes: [1, 2, 3]), UnknownAttribute(type: 98, bytes: [])]
        var service = VirtualServiceStatus(service: VirtualService(id: Self.web))
        service.unknownAttributes = unknown
        var destination = DestinationStatus(destination: Destination("10.0.0.2", port: 1))
        destination.unknownAttributes = unknown
        let replies = (service, destination)
        let ipvs = IPVS(simulating: { (request: SimulatedRequest) -> [SimulatedReply] in
            request.command == .getService
                ? [.service(replies.0.summary), .done] : [.destination(replies.1), .done]
        })
        let found = try await ipvs.status()
        #expect(found.map(\.unknownAttributes) == [unknown])
        #expect(found.first?.destinations.map(\.unknownAttributes) == [unknown])
    }

    /// A future kernel with an unknown scheduler, protocol, flags, forwarding method, tunnel type and attributes. All
    /// of them are kept, and changing a part of an object writes them back.
    @Test func whatIsUnknownIsKept() async throws {
        let id = VirtualService.ID.address("10.0.0.1", port: 1, protocol: .init(rawValue: 0xFFFE))
        let service = VirtualService(id: id, scheduler: "tomorrow", flags: .init(rawValue: 0xFFFF_FF00))
        let destination = Destination(
            "10.0.0.2", port: 1, forwarding: .init(rawValue: 7),
            tunnel: .init(type: .init(rawValue: 0xEE), port: 2, flags: .init(rawValue: 0xFFFF)))
        let unknown = [UnknownAttribute(type: 99, bytes: [1, 2, 3]), UnknownAttribute(type: 16383, bytes: [])]
        let written = Written()
        let ipvs = IPVS(simulating: { (request: SimulatedRequest) -> [SimulatedReply] in
            if request.command == .setService || request.command == .setDestination {
                let nest = request.attributes.last?.nested ?? []
                let rest = nest.map { UnknownAttribute(type: $0.type, bytes: $0.bytes) }.filter { $0.type >= 99 }
                written.nests.withLock { $0.append(rest) }
            }
            return switch request.command {
            case .getService where !request.isDump:
                [Self.extended(.service(VirtualServiceSummary(service: service))), .acknowledgement]
            case .getService:
                [Self.extended(.service(VirtualServiceSummary(service: service))), .done]
            case .getDestination:
                [Self.extended(.destination(DestinationStatus(destination: destination))), .done]
            case .setService:
                request.service == service ? [.acknowledgement] : [.error(.invalidArgument)]
            case .setDestination:
                request.destination == destination ? [.acknowledgement] : [.error(.invalidArgument)]
            default: [.error(.notPermitted)]
            }
        })
        let found = try await ipvs.status()
        #expect(found.map(\.service) == [service])
        #expect(found[0].destinations.map(\.destination) == [destination])
        #expect(found[0].unknownAttributes == unknown)
        #expect(found[0].destinations[0].unknownAttributes == unknown)
        try await ipvs.update(found[0].service)
        // This method is refused, because the kernel would accept it without supporting it.
        let refusal = await #expect(throws: IPVSError.self) {
            try await ipvs.update(found[0].destinations[0].destination, of: id)
        }
        #expect(refusal?.wasRefusedBeforeSending == true)
        #expect(written.nests.withLock { $0 } == [[]], "whoever writes a whole one says what is in it")

        // The kernel above accepts only the attributes that it sent.
        await #expect(throws: IPVSError.self) { try await ipvs.modify(id) { $0.scheduler = .roundRobin } }
        await #expect(throws: IPVSError.self) { try await ipvs.modify(destination.id, of: id) { $0.weight = 0 } }
        await #expect(throws: IPVSError.self) { try await ipvs.update(id, setting: .init(rawValue: 0x20)) }
        #expect(written.nests.withLock { $0 }.dropFirst(1) == [unknown, unknown, unknown])
    }

    private final class Written: Sendable {
        let nests = Mutex<[[UnknownAttribute]]>([])
    }

    /// The reply with two attributes more in its nest and one behind it.
    private static func extended(_ reply: SimulatedReply) -> SimulatedReply {
        guard case .message(let command, var attributes) = reply.content else { return reply }
        // Its one attribute is the nest: length and type, then what is in it.
        attributes += [7, 0, 99, 0, 1, 2, 3, 0] + [4, 0, 0xFF, 0x3F]
        let length = UInt16(attributes.count)
        attributes.replaceSubrange(0..<2, with: [UInt8(length & 0xFF), UInt8(length >> 8)])
        return .payload(command, attributes + [8, 0, 0xF4, 1, 9, 9, 9, 9])
    }

    @Test func rawRepliesAreAsTheyAre() async throws {
        let ipvs = IPVS(
            simulating: { (request: SimulatedRequest) -> [SimulatedReply] in
                switch request.command {
                case .getConfiguration: [.payload(.setConfiguration, [8, 0, 4, 0, 77, 0, 0, 0]), .acknowledgement]
                case .getInfo: [.datagram([1, 2, 3])]
                case .getService: [.malformed]
                default: [.nothing]
                }
            }, deadline: .milliseconds(100))
        #expect(try await ipvs.timeouts() == Timeouts(tcpSeconds: 77))
        func code(_ body: () async throws -> Void) async -> IPVSError.Code? {
            await #expect(throws: IPVSError.self) { try await body() }?.code
        }
        #expect(await code { _ = try await ipvs.info() } == .communication)
        #expect(await code { _ = try await ipvs.services() } == .communication)
        #expect(await code { try await ipvs.flush() } == .deadlineExceeded)
    }
}
