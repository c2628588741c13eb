import CNetlink

/// The settings of a VXLAN interface that are chosen when it is made.
package struct VXLANSettings: Hashable, Sendable {
    /// The VXLAN network identifier (VNI).
    package var identifier: UInt32
    /// The UDP port to which encapsulated packets are sent, and on which they are received.
    package var port: UInt16
    /// The address from which encapsulated packets are sent, four or sixteen bytes; nil for the kernel's choice. It also
    /// decides over which family they are sent.
    package var local: [UInt8]?
    /// Whether the interface learns from the packets that it receives behind which node a hardware address is.
    package var learns: Bool
    /// Whether the interface answers for its permanent neighbours, instead of asking all nodes for them (`proxy`).
    package var answersForNeighbours: Bool

    package init(
        identifier: UInt32, port: UInt16, local: [UInt8]? = nil, learns: Bool = false,
        answersForNeighbours: Bool = true
    ) {
        self.identifier = identifier
        self.port = port
        self.local = local
        self.learns = learns
        self.answersForNeighbours = answersForNeighbours
    }

    func write(to data: inout MessageWriter) {
        data.put(Int(IFLA_VXLAN_ID), identifier)
        data.put(Int(IFLA_VXLAN_PORT), bigEndian: port)
        data.put(Int(IFLA_VXLAN_LEARNING), UInt8(learns ? 1 : 0))
        data.put(Int(IFLA_VXLAN_PROXY), UInt8(answersForNeighbours ? 1 : 0))
        if let local { data.put(Int(local.count == 4 ? IFLA_VXLAN_LOCAL : IFLA_VXLAN_LOCAL6), bytes: local) }
    }
}

extension VXLANSettings {
    /// Nil if the attributes lack the identifier or the port.
    init?(_ data: Attributes) {
        guard let identifier = data.first(Int(IFLA_VXLAN_ID))?.uint32,
            let port = data.first(Int(IFLA_VXLAN_PORT))?.uint16
        else { return nil }
        self.init(
            identifier: identifier, port: UInt16(bigEndian: port),
            local: (data.first(Int(IFLA_VXLAN_LOCAL)) ?? data.first(Int(IFLA_VXLAN_LOCAL6)))?.array,
            learns: data.first(Int(IFLA_VXLAN_LEARNING))?.uint8 == 1,
            answersForNeighbours: data.first(Int(IFLA_VXLAN_PROXY))?.uint8 == 1)
    }
}
