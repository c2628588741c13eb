public import IPVSKit
import Netlink

/// One message that a client sent to a simulated kernel.
///
/// The contents are available in two forms: as IPVSKit's values, for tests of their meaning, and as the bytes of the
/// wire, for tests of their encoding.
public struct SimulatedRequest: Sendable {
    /// The command: `IPVS_CMD_…`. A number that this library does not know is kept.
    public struct Command: RawRepresentable, Hashable, Sendable {
        /// The kernel's number.
        public let rawValue: UInt8

        /// A command by the kernel's number.
        public init(rawValue: UInt8) { self.rawValue = rawValue }

        /// `IPVS_CMD_NEW_SERVICE`. The kernel also sends services with it.
        public static let newService = Self(rawValue: 1)
        /// `IPVS_CMD_SET_SERVICE`.
        public static let setService = Self(rawValue: 2)
        /// `IPVS_CMD_DEL_SERVICE`.
        public static let deleteService = Self(rawValue: 3)
        /// `IPVS_CMD_GET_SERVICE`: one service, or all services if it is a dump.
        public static let getService = Self(rawValue: 4)
        /// `IPVS_CMD_NEW_DEST`. The kernel also sends destinations with it.
        public static let newDestination = Self(rawValue: 5)
        /// `IPVS_CMD_SET_DEST`.
        public static let setDestination = Self(rawValue: 6)
        /// `IPVS_CMD_DEL_DEST`.
        public static let deleteDestination = Self(rawValue: 7)
        /// `IPVS_CMD_GET_DEST`: a dump of the destinations of one service.
        public static let getDestination = Self(rawValue: 8)
        /// `IPVS_CMD_NEW_DAEMON`. The kernel also sends sync daemons with it.
        public static let newDaemon = Self(rawValue: 9)
        /// `IPVS_CMD_DEL_DAEMON`.
        public static let deleteDaemon = Self(rawValue: 10)
        /// `IPVS_CMD_GET_DAEMON`: a dump of the sync daemons.
        public static let getDaemon = Self(rawValue: 11)
        /// `IPVS_CMD_SET_CONFIG`. The kernel also sends the timeouts with it.
        public static let setConfiguration = Self(rawValue: 12)
        /// `IPVS_CMD_GET_CONFIG`.
        public static let getConfiguration = Self(rawValue: 13)
        /// `IPVS_CMD_SET_INFO`: the kernel sends the answer to ``getInfo`` with it.
        public static let setInfo = Self(rawValue: 14)
        /// `IPVS_CMD_GET_INFO`.
        public static let getInfo = Self(rawValue: 15)
        /// `IPVS_CMD_ZERO`.
        public static let zero = Self(rawValue: 16)
        /// `IPVS_CMD_FLUSH`.
        public static let flush = Self(rawValue: 17)
    }

    /// One netlink attribute, copied out of the message.
    public struct Attribute: Hashable, Sendable {
        /// The number, without the bits for nesting and byte order.
        public let type: UInt16
        /// The payload, without padding.
        public let bytes: [UInt8]
        /// The payload as attributes. The attribute does not show whether its payload consists of attributes; only its
        /// meaning does.
        public var nested: [Attribute] { Self.list(bytes) }

        static func list(_ bytes: [UInt8]) -> [Attribute] {
            bytes.withUnsafeBytes { bytes in
                Netlink.Attributes(bytes).map { Attribute(type: $0.type, bytes: Array($0.bytes)) }
            }
        }
    }

    /// The command.
    public let command: Command
    /// Whether the request is for all objects of a kind (`NLM_F_DUMP`): then ``SimulatedReply/done`` ends the answer.
    public let isDump: Bool
    /// Whether the client wants an acknowledgement (`NLM_F_ACK`). Of changes that are sent together, only the last one
    /// does.
    public let wantsAcknowledgement: Bool
    /// The bytes behind the two headers.
    public let payload: [UInt8]
    let header: RequestHeader

    /// Nil if the bytes are not a generic netlink message.
    package init?(_ message: [UInt8]) {
        guard let header = RequestHeader(message) else { return nil }
        self.header = header
        command = Command(rawValue: message[16])
        isDump = header.flags & NetlinkFlags.dump == NetlinkFlags.dump
        wantsAcknowledgement = header.flags & NetlinkFlags.acknowledge != 0
        payload = Array(message[20...])
    }

    /// The payload as attributes.
    public var attributes: [Attribute] { Attribute.list(payload) }

    /// The id of the service in the request; nil without one.
    public var serviceID: VirtualService.ID? { try? decodedService()?.id.get() }

    /// The mask of the flags (`struct ip_vs_flags`): flags outside it stay as they are, and are not in ``service``.
    /// Except for `IPVS.update(_:flags:)` and its like, the mask has all flags. Nil if the request has no flags.
    /// Persistence is a flag on the wire, too, and always in the mask.
    public var flagsMask: VirtualService.Flags? {
        guard let mask = try? decodedService()?.flagsMask else { return nil }
        return VirtualService.Flags(rawValue: mask)
    }

    /// The wanted service; nil if the request has only its id, as when it is deleted.
    public var service: VirtualService? {
        guard let fields = try? decodedService(), let id = try? fields.id.get() else { return nil }
        return (try? fields.specification(changing: 0).get())?.value(id)
    }

    /// The id of the destination in the request; nil without one.
    public var destinationID: Destination.ID? {
        guard let fields = try? decodedDestination() else { return nil }
        return try? fields.id(serviceFamily: serviceID?.family ?? .ipv4).get()
    }

    /// The wanted destination; nil if the request has only its id, as when it is deleted.
    public var destination: Destination? {
        guard let fields = try? decodedDestination() else { return nil }
        return try? fields.destination(serviceFamily: serviceID?.family ?? .ipv4).get()
    }
}

/// The parts of a request's `struct nlmsghdr` that a reply repeats.
struct RequestHeader: Sendable {
    var bytes: [UInt8]
    var type: UInt16
    var flags: UInt16

    init?(_ message: [UInt8]) {
        guard message.count >= 20, let type: UInt16 = Bytes.number(message, at: 4),
            let flags: UInt16 = Bytes.number(message, at: 6)
        else { return nil }
        bytes = Array(message[..<16])
        self.type = type
        self.flags = flags
    }

    /// The bytes of the sequence number and the port.
    var address: ArraySlice<UInt8> { bytes[8..<16] }
}
