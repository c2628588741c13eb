import Netlink
import SystemPackage

/// Which tables of nftables there are, asked of the kernel. `nft list tables` would do, but nft 1.0.6 reads every set in
/// them first, and ours have several elements for each published port.
enum NFTTableNames {
    /// As `inet filter`, of the families that see the packets we ask about, in the namespace of the process. Nil where the
    /// kernel does not say: without nf_tables, or without permission.
    static func read() -> [String]? {
        do throws(Errno) {
            var socket = try NetfilterSocket()
            var names: [String] = []
            for (number, family) in [(1, "inet"), (2, "ip"), (10, "ip6")] as [(UInt8, String)] {
                try socket.dump(10 << 8 | 1, family: number) { attributes in  // NFT_MSG_GETTABLE
                    if let name = attributes.first(1)?.string { names.append("\(family) \(name)") }  // NFTA_TABLE_NAME
                }
            }
            return names
        } catch {
            return nil
        }
    }
}
