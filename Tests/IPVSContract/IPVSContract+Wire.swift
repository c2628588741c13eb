import CNetlink
import IPVSKit
import Netlink
import SystemPackage
import Testing

/// Messages that our client never sends, but others may: the kernel's answer to each.
extension IPVSContract {
    /// Sends one message with a service nest and a destination nest; returns nil if the kernel accepts it.
    private static func errno(
        _ ipvs: IPVS, _ command: Int, flags: UInt16 = 0, service: ((inout MessageWriter) -> Void)? = nil,
        destination: ((inout MessageWriter) -> Void)? = nil
    ) async throws -> Errno? {
        let message = Messages { writer in
            writer.message(command: UInt8(command), version: UInt8(IPVS_GENL_VERSION), flags: flags) { writer in
                if let service { writer.nest(IPVS_CMD_ATTR_SERVICE, service) }
                if let destination { writer.nest(IPVS_CMD_ATTR_DEST, destination) }
            }
        }
        let outcome =
            flags & NetlinkFlags.dump == 0
            ? try await ipvs.client.send(message, deadline: .seconds(30))
            : try await ipvs.client.dump(message, deadline: .seconds(30), restart: { _ in }) { _, _ in }
        #expect(outcome.interruption == nil)
        return outcome.failures.first?.errno
    }

    private static func mark(_ writer: inout MessageWriter) {
        writer.put(IPVS_SVC_ATTR_AF, UInt16(2))
        writer.put(IPVS_SVC_ATTR_FWMARK, UInt32(0x102))
    }

    /// A complete service without one attribute.
    private static func service(without missing: Int = 0) -> (inout MessageWriter) -> Void {
        { writer in
            mark(&writer)
            if missing != IPVS_SVC_ATTR_SCHED_NAME { writer.put(IPVS_SVC_ATTR_SCHED_NAME, string: "rr") }
            if missing != IPVS_SVC_ATTR_FLAGS { writer.put(IPVS_SVC_ATTR_FLAGS, UInt64(UInt32.max) << 32) }
            if missing != IPVS_SVC_ATTR_TIMEOUT { writer.put(IPVS_SVC_ATTR_TIMEOUT, UInt32(0)) }
            if missing != IPVS_SVC_ATTR_NETMASK { writer.put(IPVS_SVC_ATTR_NETMASK, UInt32.max) }
        }
    }

    private static func destination(without missing: Int = 0) -> (inout MessageWriter) -> Void {
        { writer in
            if missing != IPVS_DEST_ATTR_ADDR { writer.put(IPVS_DEST_ATTR_ADDR, UInt32(0x0100_000A)) }
            if missing != IPVS_DEST_ATTR_PORT { writer.put(IPVS_DEST_ATTR_PORT, bigEndian: UInt16(80)) }
            for type in [
                IPVS_DEST_ATTR_FWD_METHOD, IPVS_DEST_ATTR_WEIGHT, IPVS_DEST_ATTR_U_THRESH, IPVS_DEST_ATTR_L_THRESH,
            ] where type != missing { writer.put(type, UInt32(0)) }
        }
    }

    static func requestsThatSayTooLittle(_ ipvs: IPVS) async throws {
        for command in [IPVS_CMD_NEW_SERVICE, IPVS_CMD_SET_SERVICE] {
            for missing in [
                IPVS_SVC_ATTR_SCHED_NAME, IPVS_SVC_ATTR_FLAGS, IPVS_SVC_ATTR_TIMEOUT, IPVS_SVC_ATTR_NETMASK,
            ] {
                // The kernel reports this before it looks for the service.
                #expect(try await errno(ipvs, command, service: service(without: missing)) == .invalidArgument)
            }
        }
        #expect(try await errno(ipvs, IPVS_CMD_NEW_SERVICE) == .invalidArgument)
        #expect(try await errno(ipvs, IPVS_CMD_DEL_SERVICE, service: { _ in }) == .invalidArgument)
        #expect(
            try await errno(ipvs, IPVS_CMD_DEL_SERVICE, service: { $0.put(IPVS_SVC_ATTR_FWMARK, UInt32(1)) })
                == .invalidArgument)
        #expect(
            try await errno(
                ipvs, IPVS_CMD_DEL_SERVICE,
                service: {
                    $0.put(IPVS_SVC_ATTR_AF, UInt16(2))
                    $0.put(IPVS_SVC_ATTR_PROTOCOL, UInt16(6))
                    $0.put(IPVS_SVC_ATTR_PORT, UInt16(80))
                }) == .invalidArgument)
        #expect(
            try await errno(
                ipvs, IPVS_CMD_DEL_SERVICE,
                service: {
                    $0.put(IPVS_SVC_ATTR_AF, UInt16(77))
                    $0.put(IPVS_SVC_ATTR_FWMARK, UInt32(1))
                }) == .addressFamilyNotSupported)

        #expect(try await errno(ipvs, IPVS_CMD_NEW_DEST, service: mark) == .noSuchProcess)
        #expect(try await errno(ipvs, IPVS_CMD_NEW_SERVICE, service: service()) == nil)
        #expect(try await errno(ipvs, IPVS_CMD_NEW_DEST, service: mark) == .invalidArgument)
        for missing in [
            IPVS_DEST_ATTR_ADDR, IPVS_DEST_ATTR_PORT, IPVS_DEST_ATTR_FWD_METHOD, IPVS_DEST_ATTR_WEIGHT,
            IPVS_DEST_ATTR_U_THRESH, IPVS_DEST_ATTR_L_THRESH,
        ] {
            for command in [IPVS_CMD_NEW_DEST, IPVS_CMD_SET_DEST] {
                #expect(
                    try await errno(ipvs, command, service: mark, destination: destination(without: missing))
                        == .invalidArgument)
            }
        }
        #expect(
            try await errno(ipvs, IPVS_CMD_DEL_DEST, service: mark, destination: destination())
                == .noSuchFileOrDirectory)
        // The kernel checks tunnel attributes even if the method is not a tunnel.
        #expect(
            try await errno(
                ipvs, IPVS_CMD_NEW_DEST, service: mark,
                destination: {
                    destination()(&$0)
                    $0.put(IPVS_DEST_ATTR_TUN_TYPE, UInt8(IP_VS_CONN_F_TUNNEL_TYPE_GUE))
                }) == .invalidArgument)
        // Without a family, the destination has the family of the service.
        #expect(try await errno(ipvs, IPVS_CMD_NEW_DEST, service: mark, destination: destination()) == nil)
        let found = try await ipvs.service(mark4)
        #expect(found.destinations.map(\.destination) == [Destination("10.0.0.1", port: 80, weight: 0)])
        #expect(try await errno(ipvs, IPVS_CMD_NEW_DAEMON) == .invalidArgument)
        #expect(try await errno(ipvs, IPVS_CMD_DEL_DAEMON) == .invalidArgument)
        // A dump for a service that is not named correctly is empty and succeeds.
        #expect(try await errno(ipvs, IPVS_CMD_GET_DEST, flags: NetlinkFlags.dump) == nil)
        #expect(try await errno(ipvs, IPVS_CMD_GET_DEST, flags: NetlinkFlags.dump, service: { _ in }) == nil)
    }

    private static func flags(_ ipvs: IPVS) async throws -> UInt32 {
        let status: VirtualServiceStatus = try await ipvs.service(mark4)
        return status.service.flags.rawValue
    }

    static func requestsInUnusualWords(_ ipvs: IPVS) async throws {
        func masked(_ flags: UInt32, mask: UInt32) -> (inout MessageWriter) -> Void {
            { writer in
                service(without: IPVS_SVC_ATTR_FLAGS)(&writer)
                writer.put(IPVS_SVC_ATTR_FLAGS, UInt64(flags) | UInt64(mask) << 32)
            }
        }
        #expect(try await errno(ipvs, IPVS_CMD_NEW_SERVICE, service: masked(0x1C, mask: 0x0C)) == nil)
        #expect(try await flags(ipvs) == 0x0C, "only what the mask names")
        #expect(try await errno(ipvs, IPVS_CMD_SET_SERVICE, service: masked(0x10, mask: 0x14)) == nil)
        #expect(try await flags(ipvs) == 0x18, "and what it does not name stays")
        #expect(
            try await errno(
                ipvs, IPVS_CMD_SET_SERVICE,
                service: {
                    service(without: IPVS_SVC_ATTR_FLAGS)(&$0)
                    $0.put(IPVS_SVC_ATTR_FLAGS, UInt32(0x04))
                }) == nil)
        #expect(try await flags(ipvs) == 0x18, "a mask that is missing names nothing")

        // Too short, too long, without its NUL, unknown.
        func changed(_ change: @escaping (inout MessageWriter) -> Void) async throws -> Errno? {
            try await errno(
                ipvs, IPVS_CMD_SET_SERVICE,
                service: {
                    service()(&$0)
                    change(&$0)
                })
        }
        #expect(try await changed { $0.put(IPVS_SVC_ATTR_TIMEOUT, UInt16(1)) } == .invalidArgument)
        #expect(try await changed { $0.put(IPVS_SVC_ATTR_SCHED_NAME, UInt16(0x7272)) } == .invalidArgument)
        #expect(try await changed { $0.put(IPVS_SVC_ATTR_SCHED_NAME, string: "sixteen-letters-") } == .invalidArgument)
        #expect(try await changed { $0.put(IPVS_SVC_ATTR_PE_NAME, string: "") } == nil)
        #expect(try await changed { $0.put(999, UInt32(1)) } == nil)

        // The length of a prefix, for IPv6.
        for length: UInt32 in [0, 129] {
            #expect(
                try await errno(
                    ipvs, IPVS_CMD_NEW_SERVICE,
                    service: {
                        service(without: IPVS_SVC_ATTR_NETMASK)(&$0)
                        $0.put(IPVS_SVC_ATTR_AF, UInt16(10))
                        $0.put(IPVS_SVC_ATTR_NETMASK, length)
                    }) == .invalidArgument)
        }
        // No packet matches a service for this protocol. A service that another program made can still be changed.
        #expect(
            try await errno(
                ipvs, IPVS_CMD_NEW_SERVICE,
                service: {
                    $0.put(IPVS_SVC_ATTR_AF, UInt16(2))
                    $0.put(IPVS_SVC_ATTR_PROTOCOL, UInt16(1))
                    $0.put(IPVS_SVC_ATTR_ADDR, UInt32(0x0100_000A))
                    $0.put(IPVS_SVC_ATTR_PORT, UInt16(0))
                    $0.put(IPVS_SVC_ATTR_SCHED_NAME, string: "rr")
                    $0.put(IPVS_SVC_ATTR_FLAGS, UInt64(UInt32.max) << 32)
                    $0.put(IPVS_SVC_ATTR_TIMEOUT, UInt32(0))
                    $0.put(IPVS_SVC_ATTR_NETMASK, UInt32.max)
                }) == nil)
        let icmp = VirtualService.ID.address("10.0.0.1", port: 0, protocol: .init(rawValue: 1))
        try await ipvs.modify(icmp) { $0.scheduler = .weightedRoundRobin }
        #expect(try await ipvs.service(icmp).service.scheduler == .weightedRoundRobin)
        try await ipvs.delete(icmp)

        // A mark of 0 counts as no mark, and there is no address either.
        #expect(
            try await errno(
                ipvs, IPVS_CMD_NEW_SERVICE,
                service: {
                    service()(&$0)
                    $0.put(IPVS_SVC_ATTR_FWMARK, UInt32(0))
                }) == nil)
        let ids = try await ipvs.services().map(\.id)
        #expect(Set(ids) == [mark4, .address("0.0.0.0", port: 0, protocol: .tcp)])
        // No scheduler at all.
        try await ipvs.update(VirtualService(id: mark4, scheduler: "none"))
        #expect(try await ipvs.service(mark4).service.scheduler == "none")
    }

    static func commandsThatThereAreNot(_ ipvs: IPVS) async throws {
        let none = Errno.notSupportedOnSocket
        #expect(try await errno(ipvs, 99) == none)
        #expect(try await errno(ipvs, IPVS_CMD_GET_DEST, service: mark) == none)
        #expect(try await errno(ipvs, IPVS_CMD_GET_DAEMON) == none)
        #expect(try await errno(ipvs, IPVS_CMD_GET_INFO, flags: NetlinkFlags.dump) == none)
        #expect(try await errno(ipvs, IPVS_CMD_GET_CONFIG, flags: NetlinkFlags.dump) == none)
        #expect(try await errno(ipvs, IPVS_CMD_NEW_SERVICE, flags: NetlinkFlags.dump, service: service()) == none)
    }
}
