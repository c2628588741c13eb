public import IPVSKit
import Netlink

/// One message that a client sent to a simulated kernel.
///
/// What is in it is there twice: as IPVSKit's values, for tests that look at what was meant, and as the bytes of the
/// wire, for those that look at how it was said.
public struct SimulatedRequest: Sendable {
    /// What is asked: `IPVS_CMD_…`. Open: a number without a name here is kept.
    public struct Command: RawRepresentable, Hashable, Sendable {
        /// The kernel's number.
        public let rawValue: UInt8

        /// A command by the kernel's number.
        public init(rawValue: UInt8) { self.rawValue = rawValue }

        /// `IPVS_CMD_NEW_SERVICE`, which is also how the kernel sends one.
        public static let newService = Self(rawValue: 1)
        /// `IPVS_CMD_SET_SERVICE`.
        public static let setService = Self(rawValue: 2)
        /// `IPVS_CMD_DEL_SERVICE`.
        public static let deleteService = Self(rawValue: 3)
        /// `IPVS_CMD_GET_SERVICE`: one, or all where it is a dump.
        public static let getService = Self(rawValue: 4)
        /// `IPVS_CMD_NEW_DEST`, which is also how the kernel sends one.
        public static let newDestination = Self(rawValue: 5)
        /// `IPVS_CMD_SET_DEST`.
        public static let setDestination = Self(rawValue: 6)
        /// `IPVS_CMD_DEL_DEST`.
        public static let deleteDestination = Self(rawValue: 7)
        /// `IPVS_CMD_GET_DEST`: a dump of one service's.
        public static let getDestination = Self(rawValue: 8)
        /// `IPVS_CMD_NEW_DAEMON`, which is also how the kernel sends one.
        public static let newDaemon = Self(rawValue: 9)
        /// `IPVS_CMD_DEL_DAEMON`.
        public static let deleteDaemon = Self(rawValue: 10)
        /// `IPVS_CMD_GET_DAEMON`: a dump.
        public static let getDaemon = Self(rawValue: 11)
        /// `IPVS_CMD_SET_CONFIG`, which is also how the kernel sends the timeouts.
        public static let setConfiguration = Self(rawValue: 12)
        /// `IPVS_CMD_GET_CONFIG`.
        public static let getConfiguration = Self(rawValue: 13)
        /// `IPVS_CMD_SET_INFO`: how the kernel sends what it says of itself.
        public static let setInfo = Self(rawValue: 14)
        /// `IPVS_CMD_GET_INFO`.
        public static let getInfo = Self(rawValue: 15)
        /// `IPVS_CMD_ZERO`.
        public static let zero = Self(rawValue: 16)
        /// `IPVS_CMD_FLUSH`.
        public static let flush = Self(rawValue: 17)
    }

    /// One netlink attribute, in a copy of its own.
    public struct Attribute: Hashable, Sendable {
        /// The number, without the bits for nesting and byte order.
        public let type: UInt16
        /// The payload, without padding.
        public let bytes: [UInt8]
        /// The payload as attributes. Whether it holds any is not written in it: its meaning says so.
        public var nested: [Attribute] { Self.list(bytes) }

        static func list(_ bytes: [UInt8]) -> [Attribute] {
            bytes.withUnsafeBytes { bytes in
                Netlink.Attributes(bytes).map { Attribute(type: $0.type, bytes: Array($0.bytes)) }
            }
        }
    }

    /// What is asked.
    public let command: Command
    /// Whether all there is of a kind is asked for (`NLM_F_DUMP`): ``SimulatedReply/done`` ends the answer.
    public let isDump: Bool
    /// Whether success is to be said (`NLM_F_ACK`). Of changes that are sent together only the last asks for it.
    public let wantsAcknowledgement: Bool
    /// The bytes behind the two headers.
    public let payload: [UInt8]
    let header: RequestHeader

    /// Nil where the bytes are no generic netlink message.
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

    /// The id of the service that is named; nil where none is.
    public var serviceID: VirtualService.ID? { try? decodedService()?.id.get() }

    /// Which flags of the service are meant (`struct ip_vs_flags`): the others stay as they are, and are not in
    /// ``service``. All, but by `IPVS.update(_:flags:)` and its like. Nil where no flags are sent. Whether the service
    /// is persistent is a flag on the wire, too, and always meant.
    public var flagsMask: VirtualService.Flags? {
        guard let mask = try? decodedService()?.flagsMask else { return nil }
        return VirtualService.Flags(rawValue: mask)
    }

    /// The service as it is to be; nil where all of it is not there, as when it is deleted.
    public var service: VirtualService? {
        guard let fields = try? decodedService(), let id = try? fields.id.get() else { return nil }
        return (try? fields.specification(changing: 0).get())?.value(id)
    }

    /// The id of the destination that is named; nil where none is.
    public var destinationID: Destination.ID? {
        guard let fields = try? decodedDestination() else { return nil }
        return try? fields.id(serviceFamily: serviceID?.family ?? .ipv4).get()
    }

    /// The destination as it is to be; nil where all of it is not there, as when it is deleted.
    public var destination: Destination? {
        guard let fields = try? decodedDestination() else { return nil }
        return try? fields.destination(serviceFamily: serviceID?.family ?? .ipv4).get()
    }
}

/// What of a request's `struct nlmsghdr` a reply repeats.
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

    /// The sequence number and the port, as they lie.
    var address: ArraySlice<UInt8> { bytes[8..<16] }
}
