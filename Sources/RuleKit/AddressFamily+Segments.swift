import IPVSKit

extension AddressFamily {
    /// The greatest segment of TCP (MSS) in a packet of a length: what the headers of IP and TCP leave of it.
    func segmentSize(in mtu: UInt32) -> UInt16 { UInt16(clamping: Int(mtu) - (self == .ipv4 ? 40 : 60)) }
}
