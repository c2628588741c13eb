import CNetlink
import Synchronization
import SystemPackage
import Testing

@testable import Netlink

#if canImport(Glibc)
    import Glibc
#endif

/// The bytes that are sent to the kernel for VXLAN interfaces, forwarding databases and routing rules, and how its
/// answers are read. The numbers are written out here, and not taken from the headers that the client takes them from.
@Suite(.timeLimit(.minutes(1))) struct RouteMessageTests {
    /// What was sent, without length, sequence number and port.
    private struct Sent: Equatable, CustomStringConvertible {
        var type: UInt16
        var flags: UInt16
        var payload: [UInt8]

        var description: String {
            "type \(type), flags 0x\(String(flags, radix: 16)): "
                + payload.map { String(UInt16($0) + 0x100, radix: 16).dropFirst() }.joined(separator: " ")
        }
    }

    /// What the client sends when the kernel acknowledges everything.
    private static func sent(_ body: (RouteClient) async throws -> Void) async throws -> [Sent] {
        let log = Log()
        let client = RouteClient(simulatingSocket: { request in
            let header = request.withUnsafeBytes { NetlinkHeader($0)! }
            #expect(Int(header.length) == request.count)
            log.append(Sent(type: header.type, flags: header.flags, payload: Array(request[16...])))
            return [.success(.acknowledgement(of: header.sequence, port: 0))]
        })
        try await body(client)
        return log.all
    }

    private final class Log: Sendable {
        private let messages = Mutex<[Sent]>([])
        var all: [Sent] { messages.withLock { $0 } }
        func append(_ message: Sent) { messages.withLock { $0.append(message) } }
    }

    /// One attribute, padded to four bytes.
    private static func attribute(_ type: UInt16, _ value: [UInt8]) -> [UInt8] {
        let length = UInt16(4 + value.count)
        let padding = [UInt8](repeating: 0, count: (4 - value.count % 4) % 4)
        return [UInt8(length & 0xFF), UInt8(length >> 8), UInt8(type & 0xFF), UInt8(type >> 8)] + value + padding
    }

    private static let nested: UInt16 = 0x8000
    private static let hardware: [UInt8] = [2, 0x42, 10, 255, 0, 4]
    // NLM_F_REQUEST | NLM_F_ACK, with NLM_F_CREATE and NLM_F_EXCL or NLM_F_REPLACE.
    private static let (plain, creating, replacing): (UInt16, UInt16, UInt16) = (0x5, 0x605, 0x505)

    // MARK: VXLAN

    @Test(
        arguments: [
            (nil, []),
            ([192, 168, 5, 1], [8, 0, 4, 0, 192, 168, 5, 1]),
            (
                [0xFD] + [UInt8](repeating: 0, count: 14) + [7],
                [20, 0, 17, 0, 0xFD] + [UInt8](repeating: 0, count: 14) + [7]
            ),
        ] as [([UInt8]?, [UInt8])])
    func aVXLANInterfaceIsMade(local: [UInt8]?, written: [UInt8]) async throws {
        let sent = try await Self.sent { client in
            try await client.createVXLAN(
                NewInterface(name: "vxlan0", hardwareAddress: Self.hardware, group: 0x6D65_7368),
                VXLANSettings(identifier: 4097, port: 4789, local: local))
        }
        let data =
            Self.attribute(1, [1, 16, 0, 0]) + Self.attribute(15, [0x12, 0xB5]) + Self.attribute(7, [0])
            + Self.attribute(11, [1]) + written
        let info = Self.attribute(1, Array("vxlan".utf8) + [0]) + Self.attribute(2 | Self.nested, data)
        let payload =
            [UInt8](repeating: 0, count: 16) + Self.attribute(3, Array("vxlan0".utf8) + [0])
            + Self.attribute(1, Self.hardware) + Self.attribute(27, [0x68, 0x73, 0x65, 0x6D])
            + Self.attribute(18 | Self.nested, info)
        #expect(sent == [Sent(type: 16, flags: Self.creating, payload: payload)])
    }

    @Test func theSettingsOfAVXLANInterfaceAreRead() async throws {
        func link(_ data: [UInt8]) async throws -> VXLANSettings? {
            let info = Self.attribute(1, Array("vxlan".utf8) + [0]) + Self.attribute(2, data)
            let payload =
                [0, 0, 1, 0, 7, 0, 0, 0] + [UInt8](repeating: 0, count: 8)
                + Self.attribute(3, Array("vxlan0".utf8) + [0]) + Self.attribute(18, info)
            let client = RouteClient(simulatingSocket: { request in
                let sequence = request.withUnsafeBytes { NetlinkHeader($0)!.sequence }
                return [
                    .success(
                        .message(type: 16, sequence: sequence, port: 0, payload: payload)
                            + .acknowledgement(of: sequence, port: 0))
                ]
            })
            return try await client.link(named: "vxlan0")?.vxlan
        }
        let ours = Self.attribute(1, [1, 16, 0, 0]) + Self.attribute(15, [0x12, 0xB5]) + Self.attribute(7, [0])
        let proxy = Self.attribute(11, [1])
        #expect(try await link(ours + proxy) == VXLANSettings(identifier: 4097, port: 4789))
        #expect(
            try await link(ours + proxy + Self.attribute(4, [192, 168, 5, 1]))
                == VXLANSettings(identifier: 4097, port: 4789, local: [192, 168, 5, 1]))
        // An interface that somebody else has made.
        #expect(try await link(ours)?.answersForNeighbours == false)
        let learning = Self.attribute(1, [1, 16, 0, 0]) + Self.attribute(15, [0x12, 0xB5]) + Self.attribute(7, [1])
        #expect(try await link(learning + proxy)?.learns == true)
        #expect(try await link(Self.attribute(15, [0x12, 0xB5])) == nil, "it lacks the identifier")
    }

    @Test func aBridgeAndItsPorts() async throws {
        let sent = try await Self.sent { client in
            try await client.createBridge(NewInterface(name: "br0", hardwareAddress: Self.hardware))
            try await client.set(master: 9, of: 7)
            try await client.set(master: nil, of: 7)
            try await client.set(isolated: true, of: 7)
            try await client.set(mtu: 1430, of: 7)
        }
        let empty = [UInt8](repeating: 0, count: 16)
        let seven: [UInt8] = [0, 0, 0, 0, 7, 0, 0, 0] + [UInt8](repeating: 0, count: 8)
        let bridge =
            Self.attribute(3, Array("br0".utf8) + [0]) + Self.attribute(1, Self.hardware)
            + Self.attribute(
                18 | Self.nested,
                Self.attribute(1, Array("bridge".utf8) + [0]) + Self.attribute(2 | Self.nested, []))
        let isolation = Self.attribute(
            18 | Self.nested,
            Self.attribute(4, Array("bridge".utf8) + [0])
                + Self.attribute(5 | Self.nested, Self.attribute(33, [1])))
        #expect(
            sent == [
                Sent(type: 16, flags: Self.creating, payload: empty + bridge),
                Sent(type: 19, flags: Self.plain, payload: seven + Self.attribute(10, [9, 0, 0, 0])),
                Sent(type: 19, flags: Self.plain, payload: seven + Self.attribute(10, [0, 0, 0, 0])),
                Sent(type: 16, flags: Self.plain, payload: seven + isolation),
                Sent(type: 19, flags: Self.plain, payload: seven + Self.attribute(4, [0x96, 5, 0, 0])),
            ])
    }

    // MARK: The forwarding database and neighbours

    @Test func entriesOfAForwardingDatabase() async throws {
        let sent = try await Self.sent { client in
            try await client.putForwarding(of: Self.hardware, to: [192, 168, 5, 2], by: 7)
            try await client.removeForwarding(of: Self.hardware, by: 7)
        }
        // AF_BRIDGE, the interface, NUD_PERMANENT | NUD_NOARP, NTF_SELF.
        let header: [UInt8] = [7, 0, 0, 0, 7, 0, 0, 0, 0xC0, 0, 2, 0]
        let hardware = Self.attribute(2, Self.hardware)
        #expect(
            sent == [
                Sent(
                    type: 28, flags: Self.replacing,
                    payload: header + hardware + Self.attribute(1, [192, 168, 5, 2])),
                Sent(type: 29, flags: Self.plain, payload: header + hardware),
            ])
    }

    @Test func permanentNeighbours() async throws {
        let six: [UInt8] = [0xFD] + [UInt8](repeating: 0, count: 14) + [7]
        let sent = try await Self.sent { client in
            try await client.put(neighbour: [10, 255, 0, 4], hardwareAddress: Self.hardware, by: 7, origin: 109)
            try await client.remove(neighbour: six, by: 7)
        }
        #expect(
            sent == [
                Sent(
                    type: 28, flags: Self.replacing,
                    payload: [2, 0, 0, 0, 7, 0, 0, 0, 0x80, 0, 0, 0] + Self.attribute(1, [10, 255, 0, 4])
                        + Self.attribute(2, Self.hardware) + Self.attribute(12, [109])),
                Sent(
                    type: 29, flags: Self.plain,
                    payload: [10, 0, 0, 0, 7, 0, 0, 0, 0x80, 0, 0, 0] + Self.attribute(1, six)),
            ])
    }

    /// The bridge has entries of its own for the interface as its port, and other interfaces have theirs.
    @Test func onlyTheInterfacesOwnEntriesAreRead() async throws {
        func entry(_ interface: UInt8, flags: UInt8, _ attributes: [UInt8]) -> [UInt8] {
            [7, 0, 0, 0, interface, 0, 0, 0, 0xC0, 0, flags, 0] + attributes
        }
        let other: [UInt8] = [2, 0x42, 10, 255, 0, 9]
        let entries = [
            entry(7, flags: 2, Self.attribute(2, Self.hardware) + Self.attribute(1, [192, 168, 5, 2])),
            entry(7, flags: 4, Self.attribute(2, other)), entry(7, flags: 2, Self.attribute(2, other)),
            entry(8, flags: 2, Self.attribute(2, other) + Self.attribute(1, [192, 168, 5, 3])),
        ]
        let asked = Log()
        let client = RouteClient(simulatingSocket: { request in
            let header = request.withUnsafeBytes { NetlinkHeader($0)! }
            asked.append(Sent(type: header.type, flags: header.flags, payload: Array(request[16...])))
            let messages = entries.flatMap {
                [UInt8].message(type: 28, sequence: header.sequence, port: 0, payload: $0)
            }
            return [
                .success(messages),
                .success(.message(type: 3, sequence: header.sequence, port: 0, payload: .number(0))),
            ]
        })
        #expect(try await client.forwarding(of: 7) == [Self.hardware: [192, 168, 5, 2]])
        // NLM_F_DUMP, and the header of another message: only that one names the interface.
        #expect(asked.all.map(\.type) == [30] && asked.all[0].flags & 0x300 == 0x300)
        #expect(asked.all[0].payload == [7, 0, 0, 0, 7, 0, 0, 0] + [UInt8](repeating: 0, count: 8))
    }

    // MARK: Routing rules

    private static let attributesOfRule =
        attribute(6, [0x94, 0x2A, 0, 0]) + attribute(10, [1, 0x6D, 0, 0]) + attribute(16, [0xFF, 0xFF, 0xFF, 0xFF])
        + attribute(15, [1, 0x6D, 0, 0]) + attribute(21, [109])

    private static func rule(_ family: UInt8, table: UInt32 = 0x6D01) -> MarkRule {
        MarkRule(family: family, mark: 0x6D01, table: table, priority: 10900, origin: 109)
    }

    @Test func rulesAreAddedAndRemoved() async throws {
        let sent = try await Self.sent { client in
            try await client.add(Self.rule(2))
            try await client.remove(Self.rule(10))
        }
        // FR_ACT_TO_TBL; a table of a number above 255 is in its attribute alone.
        #expect(
            sent == [
                Sent(
                    type: 32, flags: Self.creating,
                    payload: [2, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0] + Self.attributesOfRule),
                Sent(
                    type: 33, flags: Self.plain,
                    payload: [10, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0] + Self.attributesOfRule),
            ])
        let small = try await Self.sent { try await $0.add(Self.rule(2, table: 200)) }
        #expect(small.first?.payload[4] == 200)
    }

    /// Each rule stands for those of both families, and rules of other kinds are nobody's marks.
    @Test func onlyRulesByMarkAreRead() async throws {
        @Sendable func header(_ family: UInt8, length: UInt8 = 0, action: UInt8 = 1, flags: UInt8 = 0) -> [UInt8] {
            [family, length, 0, 0, 254, 0, 0, action, flags, 0, 0, 0]
        }
        let client = RouteClient(simulatingSocket: { request in
            let sequence = request.withUnsafeBytes { NetlinkHeader($0)!.sequence }
            let family = request[16]
            let rules: [[UInt8]] = [
                header(family) + Self.attributesOfRule,
                // All packets, those of a network, those that are refused, those without the mark, those of some bits.
                header(family) + Self.attribute(15, [254, 0, 0, 0]),
                header(family, length: 24) + Self.attributesOfRule, header(family, action: 8) + Self.attributesOfRule,
                header(family, flags: 2) + Self.attributesOfRule,
                header(family) + Self.attribute(10, [1, 0, 0, 0]) + Self.attribute(16, [0xFF, 0, 0, 0]),
            ]
            let messages = rules.flatMap { [UInt8].message(type: 32, sequence: sequence, port: 0, payload: $0) }
            return [.success(messages), .success(.message(type: 3, sequence: sequence, port: 0, payload: .number(0)))]
        })
        #expect(try await client.markRules() == [Self.rule(2), Self.rule(10)])
    }

    /// Rules by source or mark, whatever else they ask for, in their order; not those of all packets, of other actions, of
    /// everything but a source, and of VRFs.
    @Test func policyRulesAreRead() async throws {
        @Sendable func header(length: UInt8 = 0, table: UInt8 = 101, action: UInt8 = 1, flags: UInt8 = 0) -> [UInt8] {
            [2, 0, length, 0, table, 0, 0, action, flags, 0, 0, 0]
        }
        let source = Self.attribute(2, [198, 51, 100, 2])
        let mark = Self.attribute(10, [5, 0, 0, 0]) + Self.attribute(16, [0xFF, 0, 0, 0])
        let client = RouteClient(simulatingSocket: { request in
            let sequence = request.withUnsafeBytes { NetlinkHeader($0)!.sequence }
            let rules: [[UInt8]] = [
                header(length: 32) + source + Self.attribute(15, [1, 2, 0, 0]),
                header() + mark, header(length: 24) + source + mark,
                header(table: 254), header(length: 32, action: 8) + source, header(length: 32, flags: 2) + source,
                header(length: 32, table: 0) + source,
            ]
            let messages = rules.flatMap { [UInt8].message(type: 32, sequence: sequence, port: 0, payload: $0) }
            return [.success(messages), .success(.message(type: 3, sequence: sequence, port: 0, payload: .number(0)))]
        })
        let address: [UInt8] = [198, 51, 100, 2]
        #expect(
            try await client.policyRules(2) == [
                PolicyRule(source: .init(address: address, length: 32), table: 513),
                PolicyRule(mark: 5, table: 101),
                PolicyRule(source: .init(address: address, length: 24), mark: 5, table: 101),
            ])
    }

    @Test func aKernelWithoutIPv6HasRulesOfIPv4() async throws {
        let client = RouteClient(simulatingSocket: { request in
            let sequence = request.withUnsafeBytes { NetlinkHeader($0)!.sequence }
            guard request[16] == 2 else {
                return [
                    .success(
                        .message(type: 2, sequence: sequence, port: 0, payload: .number(-EAFNOSUPPORT) + request[..<16])
                    )
                ]
            }
            let rule = [2, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0] + Self.attributesOfRule
            return [
                .success(
                    .message(type: 32, sequence: sequence, port: 0, payload: rule)
                        + .message(type: 3, sequence: sequence, port: 0, payload: .number(0)))
            ]
        })
        #expect(try await client.markRules() == [Self.rule(2)])
    }

    /// What is gone already need not be removed; any other refusal is an error.
    @Test(arguments: [ENOENT, EPERM]) func whatIsGoneNeedNotBeRemoved(errno: CInt) async throws {
        let client = RouteClient(simulatingSocket: { request in
            let sequence = request.withUnsafeBytes { NetlinkHeader($0)!.sequence }
            return [
                .success(.message(type: 2, sequence: sequence, port: 0, payload: .number(-errno) + request[..<16]))
            ]
        })
        let removals: [@Sendable () async throws -> Void] = [
            { try await client.remove(Self.rule(2)) }, { try await client.removeForwarding(of: Self.hardware, by: 7) },
            { try await client.remove(neighbour: [10, 255, 0, 4], by: 7) },
        ]
        for removal in removals {
            if errno == ENOENT {
                try await removal()
            } else {
                await #expect(throws: NetlinkError.refused(.notPermitted)) { try await removal() }
            }
        }
    }
}
