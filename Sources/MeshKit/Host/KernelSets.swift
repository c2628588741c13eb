import IPVSKit
import RuleKit

/// Asks the kernel for single elements of other programs' sets, in the namespace of the process. A set of tens of
/// thousands of elements takes a second to read; asking for one takes some microseconds.
struct KernelSets: SetReader {
    let tables: NFTTables

    func type(of name: String) async -> String? { await ForeignIPSets.type(of: name) }

    func look(_ key: [SetQuestion.Part], in set: NamedSet) async -> SetAnswers.Answer? {
        switch set.kind {
        case .ipset: await look(key, inIPSet: set.name)
        case .nft(let family, let table):
            await tables.element(Self.bytes(of: key), of: set.name, in: table, family: family)
        }
    }

    private func look(_ key: [SetQuestion.Part], inIPSet name: String) async -> SetAnswers.Answer? {
        var words: [String] = []
        var transport = ""
        for part in key {
            switch part {
            case .transport(let number): transport = "\(number):"
            case .port(let port):
                words.append("\(transport)\(port)")
                transport = ""
            case .address(let address): words.append("\(address)")
            }
        }
        let isIn = await ForeignIPSets.contains(words.joined(separator: ","), in: name)
        return isIn.map { $0 ? .present(nil) : .absent }
    }

    /// The key as nftables stores it. In a key of several parts, each is padded to a multiple of four bytes.
    private static func bytes(of key: [SetQuestion.Part]) -> [UInt8] {
        var bytes: [UInt8] = []
        for part in key {
            switch part {
            case .transport(let number): bytes.append(UInt8(truncatingIfNeeded: number.rawValue))
            case .port(let port): bytes += [UInt8(port >> 8), UInt8(port & 0xFF)]
            case .address(let address): bytes += address.bytes
            }
            while key.count > 1, bytes.count % 4 != 0 { bytes.append(0) }
        }
        return bytes
    }
}
