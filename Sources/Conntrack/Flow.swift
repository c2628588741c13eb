public import IPVSKit

/// A flow that the kernel tracks, one entry of its table: `struct nf_conn`, as `conntrack -L` lists it.
///
/// A tuple for each direction, as packets of that direction look before anything is translated: where an address or a
/// port is, the reply's are not the original's turned round. `DNAT` of a published port to a task shows as an original
/// destination that is the node, and a reply source that is the task.
public struct Flow: Hashable, Sendable {
    /// An address and a port; port 0 where the protocol has none.
    public typealias Endpoint = Connection.Endpoint

    /// Where packets of one direction come from and go to.
    public struct Tuple: Hashable, Sendable {
        /// Whom they come from.
        public var source: Endpoint
        /// Whom they go to.
        public var destination: Endpoint

        /// - Parameters:
        ///   - source: whom packets come from.
        ///   - destination: whom they go to.
        public init(source: Endpoint, destination: Endpoint) {
            self.source = source
            self.destination = destination
        }
    }

    /// What the kernel knows of a flow besides: bits of `enum ip_conntrack_status`. Bits without a name here are kept.
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
    /// The connection's mark (`CONNMARK`), which is not the packets'.
    public var mark: UInt32
    /// What the kernel knows of it besides.
    public var status: Status
    /// Until the kernel forgets it, in whole seconds, unless a packet comes.
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
