import IPVSKit
import Netlink
import RuleKit
import SystemPackage

/// Asks the kernel for single elements of other programs' sets, in the namespace of the process. A set of tens of
/// thousands of elements takes a second to read; asking for one takes some microseconds.
enum KernelSets {
    static let answers = SetAnswers(
        look: { set, key in
            switch set.kind {
            case .ipset: look(inIPSet: set.name, key)
            case .nft(let family, let table): look(inNFTSet: set.name, family, table, key)
            }
        },
        type: { IPSetQuestions.type(of: $0) })

    // MARK: ipset

    private static func look(inIPSet name: String, _ key: [SetQuestion.Part]) -> SetAnswers.Answer? {
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
        return IPSetQuestions.contains(words.joined(separator: ","), in: name).map { $0 ? .present(nil) : .absent }
    }

    // MARK: nftables

    /// Sends `NFT_MSG_GETSETELEM` with a key, and if there is no such element, asks for the catch-all element.
    private static func look(
        inNFTSet name: String, _ family: String, _ table: String, _ key: [SetQuestion.Part]
    ) -> SetAnswers.Answer? {
        guard let number = NFTTables.families[family], var socket = try? NetfilterSocket() else { return nil }
        for key in [bytes(of: key), nil] {
            var answer: SetAnswers.Answer?
            do throws(Errno) {
                try socket.ask(NFTTables.Message.getElement.type, family: number) { writer in
                    writer.put(1, string: table)  // NFTA_SET_ELEM_LIST_TABLE
                    writer.put(2, string: name)  // NFTA_SET_ELEM_LIST_SET
                    writer.nest(3) { list in  // NFTA_SET_ELEM_LIST_ELEMENTS
                        list.nest(1) { element in  // NFTA_LIST_ELEM
                            if let key {
                                // NFTA_SET_ELEM_KEY, NFTA_DATA_VALUE
                                element.nest(1) { value in key.withUnsafeBytes { value.put(1, bytes: $0) } }
                            } else {
                                element.put(3, bigEndian: UInt32(2))  // NFTA_SET_ELEM_FLAGS, NFT_SET_ELEM_CATCHALL
                            }
                        }
                    }
                } handler: { message in
                    guard let element = message.first(3)?.nested.first(1)?.nested else { return }
                    answer = .present(element.first(2).flatMap { NFTVerdict.action($0.nested) })  // NFTA_SET_ELEM_DATA
                }
                return answer
            } catch {
                // Before Linux 5.13 there is no catch-all element, and a question without a key is refused.
                guard error == .noSuchFileOrDirectory || key == nil && error == .invalidArgument else { return nil }
            }
        }
        return .absent
    }

    /// The key as the kernel stores it. In a key of several parts, each is padded to a multiple of four bytes.
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
