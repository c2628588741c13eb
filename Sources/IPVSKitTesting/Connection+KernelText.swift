import IPVSKit

extension [Connection] {
    /// The text of `/proc/net/ip_vs_conn` for these connections, as the kernel's `ip_vs_conn_seq_show` writes it.
    var kernelText: [UInt8] {
        let heading = "Pro FromIP   FPrt ToIP     TPrt DestIP   DPrt State       Expires PEName PEData\n"
        return [UInt8]((heading + map { $0.kernelLine + "\n" }.joined()).utf8)
    }
}

extension Connection {
    fileprivate var kernelLine: String {
        let name =
            switch `protocol`.rawValue {
            case 0: "IP"
            case 1: "ICMP"
            case 58: "ICMPv6"
            default:
                TransportProtocol.balanced.contains(`protocol`)
                    ? `protocol`.description.uppercased() : "IP_\(`protocol`.rawValue)"
            }
        let key = persistenceKey.map { " \($0.engine) \($0.data)" } ?? ""
        let fields = [
            name, client.address.kernelDigits, client.port.hexadecimal(4), virtual.address.kernelDigits,
            virtual.port.hexadecimal(4), destination.address.kernelDigits, destination.port.hexadecimal(4),
            state.rawValue, "\(expiresInSeconds)",
        ]
        return fields.joined(separator: " ") + key
    }
}

extension IPAddress {
    fileprivate var kernelDigits: String {
        switch storage {
        case .ipv4(let number): return number.hexadecimal(8).uppercased()
        case .ipv6(let number):
            let groups = stride(from: 112, through: 0, by: -16).map { UInt16(truncatingIfNeeded: number >> $0) }
            return groups.map { $0.hexadecimal(4) }.joined(separator: ":")
        }
    }
}

extension FixedWidthInteger {
    /// Hexadecimal digits with leading zeros.
    fileprivate func hexadecimal(_ digits: Int) -> String {
        let text = String(self, radix: 16)
        return String(repeating: "0", count: Swift.max(digits - text.count, 0)) + text
    }
}
