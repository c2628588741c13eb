public import IPVSKit

/// A flow that the kernel tracks: one entry of its table (`struct nf_conn`), as `conntrack -L` lists it.
///
/// A flow has a tuple for each direction, which shows its packets before any translation. If an address or a port is
/// translated, the reply's tuple is not the reverse of the original's. For example, `DNAT` of a published port to a
/// task shows the node as the original destination, and the task as the reply source.
public struct Flow: Hashable, Sendable {
    /// An address and a port. Port 0 means that the protocol has no ports.
    public typealias Endpoint = Connection.Endpoint

    /// The endpoints of the packets of one direction.
    public struct Tuple: Hashable, Sendable {
        /// The sender.
        public var source: Endpoint
        /// The receiver.
        public var destination: Endpoint

        /// - Parameters:
        ///   - source: the sender of the packets.
        ///   - destination: the receiver of the packets.
        public init(source: Endpoint, destination: Endpoint) {
            self.source = source
            self.destination = destination
        }
    }

    /// The kernel's state of a flow: bits of `enum ip_conntrack_status`. Bits without a name here are kept.
    public struct Status: OptionSet, Hashable, Sendable {
        /// The kernel's bits.
        public let rawValue: UInt32

        /// The kernel's bits.
        public init(rawValue: UInt32) { self.rawValue = rawValue }
    }

    /// The protocol, the same in both directions.
    public var `protocol`: TransportProtocol
    /// The direction of the packet that began the flow.
    public var original: Tuple
    /// The other direction.
    public var reply: Tuple
    /// The connection's mark (`CONNMARK`), which differs from the packets' marks.
    public var mark: UInt32
    /// The kernel's state of the flow.
    public var status: Status
    /// The time until the kernel forgets the flow unless another packet comes, in whole seconds.
    public var expiresInSeconds: UInt32

    /// A flow as a kernel could have it.
    public init(
        protocol: TransportProtocol, original: Tuple, reply: Tuple, mark: UInt32 = 0, status: Status = .confirmed,
        expiresInSeconds: UInt32 = 0
    ) {
        self.protocol = `protocol`
        self.original = original
        self.reply = reply
        self.mark = mark
        self.status = status
        self.expiresInSeconds = expiresInSeconds
    }

    /// The family of its addresses, the same in both directions.
    public var family: AddressFamily { original.source.address.family }
}

extension Flow: CustomStringConvertible {
    /// `UDP 10.1.0.2:40000 -> 10.1.0.1:1053, reply 10.11.0.2:53 -> 10.1.0.2:40000, 29s`.
    public var description: String {
        let mark = mark == 0 ? "" : ", mark 0x" + String(mark, radix: 16)
        return "\(`protocol`.description.uppercased()) \(original), reply \(reply)\(mark), \(expiresInSeconds)s"
    }
}

extension Flow.Tuple: CustomStringConvertible {
    /// `10.1.0.2:40000 -> 10.1.0.1:1053`.
    public var description: String { "\(source) -> \(destination)" }
}
