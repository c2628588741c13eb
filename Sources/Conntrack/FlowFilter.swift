public import IPVSKit

/// Selects flows: those of a protocol that agree with every field that is not nil.
///
/// ```swift
/// // The flows of all clients of a published port, whichever task they go to:
/// FlowFilter(protocol: .udp, originalDestinationPorts: 1053...1053)
/// // The flows that one task answers:
/// FlowFilter(protocol: .udp, replySource: "10.11.0.2", replySourcePort: 53)
/// ```
public struct FlowFilter: Hashable, Sendable {
    /// The protocol.
    public var `protocol`: TransportProtocol
    /// The destination address of the first packet, before it was translated.
    public var originalDestination: IPAddress?
    /// The possible destination ports of the first packet, before it was translated.
    public var originalDestinationPorts: ClosedRange<UInt16>?
    /// The address that answers. If the destination was translated, that is the task, and not the node.
    public var replySource: IPAddress?
    /// The port that answers.
    public var replySourcePort: UInt16?

    /// - Parameters:
    ///   - protocol: the protocol.
    ///   - originalDestination: the destination address of the first packet; nil for any.
    ///   - originalDestinationPorts: the possible destination ports of the first packet; nil for any.
    ///   - replySource: the address that answers; nil for any.
    ///   - replySourcePort: the port that answers; nil for any.
    public init(
        protocol: TransportProtocol, originalDestination: IPAddress? = nil,
        originalDestinationPorts: ClosedRange<UInt16>? = nil, replySource: IPAddress? = nil,
        replySourcePort: UInt16? = nil
    ) {
        self.protocol = `protocol`
        self.originalDestination = originalDestination
        self.originalDestinationPorts = originalDestinationPorts
        self.replySource = replySource
        self.replySourcePort = replySourcePort
    }

    /// Whether the filter selects the flow.
    public func matches(_ flow: Flow) -> Bool {
        guard flow.protocol == `protocol` else { return false }
        if let originalDestination, flow.original.destination.address != originalDestination { return false }
        if let ports = originalDestinationPorts, !ports.contains(flow.original.destination.port) { return false }
        if let replySource, flow.reply.source.address != replySource { return false }
        if let replySourcePort, flow.reply.source.port != replySourcePort { return false }
        return true
    }

    /// The families whose flows the filter can match; empty if its addresses are of two families.
    var families: Set<AddressFamily> {
        let named = Set([originalDestination, replySource].compactMap { $0?.family })
        return switch named.count {
        case 0: Set(AddressFamily.allCases)
        case 1: named
        default: []
        }
    }
}
