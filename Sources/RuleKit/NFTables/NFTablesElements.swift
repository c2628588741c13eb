import CNFTables
import IPVSKit
import Netlink
import SystemPackage

/// Reads and writes the elements of our sets by netfilter messages. Writing one element takes 12 µs, whatever else the
/// kernel holds; libnftables would first read every set with intervals, including those of other tables.
///
/// Works in the namespace of the calling thread.
struct NFTablesElements: ~Copyable {
    private static let subsystem = UInt16(10)  // NFNL_SUBSYS_NFTABLES
    private static let family = UInt8(1)  // NFPROTO_INET

    private var socket: NetfilterSocket

    init() throws(RuleError) {
        do throws(Errno) {
            socket = try NetfilterSocket()
        } catch {
            throw Self.refusal(error, operation: "open a netfilter socket")
        }
    }

    // MARK: Reading

    /// All elements of the sets.
    mutating func read(_ sets: [NFTablesSet]) throws(RuleError) -> Set<SetElement> {
        // The elements are gathered in an array first: a growing `Set` hashes its elements again and again, and there
        // may be tens of thousands.
        var elements: [SetElement] = []
        for set in sets { elements += Self.joined(try read(set), in: set) }
        return Set(elements)
    }

    private mutating func read(_ set: NFTablesSet) throws(RuleError) -> [NFTablesWireElement] {
        // A set that changed while it was read is read again. The holder of the mesh's lock is the only one that
        // writes, so this ends.
        var attempts = 0
        while true {
            var found: [NFTablesWireElement] = []
            do throws(Errno) {
                try socket.dump(Self.type(NFT_MSG_GETSETELEM), family: Self.family) { writer in
                    Self.name(set, in: &writer)
                } handler: { message in
                    guard var list = message.first(Int(NFTA_SET_ELEM_LIST_ELEMENTS.rawValue))?.nested else { return }
                    while let element = list.next() {
                        if let element = NFTablesWireElement(element.nested, in: set) { found.append(element) }
                    }
                }
                return found
            } catch {
                attempts += 1
                if error == .interrupted, attempts < 20 { continue }
                throw Self.refusal(error, operation: "read \(set.heading) of nft table \(OwnRules.table)")
            }
        }
    }

    /// Makes ranges of ports from the elements of the kernel: a beginning and an end, or one element for each port.
    private static func joined(_ found: [NFTablesWireElement], in set: NFTablesSet) -> [SetElement] {
        if NFTablesSet.expanded.contains(set) { return Array(found.map(\.element).coalesced()) }
        guard set.isInterval, set.key == [.port] else { return found.map(\.element) }
        let sorted = found.filter { $0.element.stray == nil }
            .sorted { ($0.port, $0.isEnd ? 0 : 1) < ($1.port, $1.isEnd ? 0 : 1) }
        let strays = found.map(\.element).filter { $0.stray != nil }
        return strays
            + sorted.indices.compactMap { index in
                let begin = sorted[index]
                guard !begin.isEnd else { return nil }
                let next = index + 1 < sorted.count ? sorted[index + 1].port : nil
                return begin.element.with(ports: begin.port...(next.map { max($0 - 1, begin.port) } ?? .max))
            }
    }

    // MARK: Writing

    /// Removes elements and adds others in one transaction. A counter is created and deleted with the element that
    /// names it.
    mutating func commit(removing removed: [SetElement], putting added: [SetElement]) throws(RuleError) {
        // The subject of each message of the batch, for the error if the kernel refuses it.
        var subjects: [String] = []
        do throws(NetfilterSocket.Refusal) {
            try socket.commit(subsystem: Self.subsystem) { batch in
                for (set, elements) in Self.inBatches(removed) {
                    subjects.append("take elements from \(set.heading)")
                    Self.put(elements, of: set, NFT_MSG_DELSETELEM, to: &batch)
                }
                let (dropped, made) = (Set(removed.compactMap(\.counter)), Set(added.compactMap(\.counter)))
                for name in dropped.subtracting(made) {
                    subjects.append("delete counter \(name)")
                    Self.put(counter: name, NFT_MSG_DELOBJ, to: &batch)
                }
                for name in made {
                    subjects.append("make counter \(name)")
                    Self.put(counter: name, NFT_MSG_NEWOBJ, to: &batch)
                }
                for (set, elements) in Self.inBatches(added) {
                    subjects.append("put elements into \(set.heading)")
                    Self.put(elements, of: set, NFT_MSG_NEWSETELEM, to: &batch)
                }
            }
        } catch {
            let subject = error.index.flatMap { $0 < subjects.count ? subjects[$0] : nil } ?? "write the elements"
            throw Self.refusal(
                error.errno, message: error.message, operation: "\(subject) of nft table \(OwnRules.table)")
        }
    }

    /// The number of elements in one message. An attribute holds 64 KiB, and this many elements always fit.
    private static let batch = 400

    /// Groups elements by set, splits them as the kernel holds them, and cuts them into batches that fit into one
    /// attribute.
    private static func inBatches(_ elements: [SetElement]) -> [(NFTablesSet, ArraySlice<SetElement>)] {
        let bySet = Dictionary(grouping: elements, by: \.set)
        return NFTablesSet.allCases.flatMap { set in
            let elements = bySet[set.rawValue] ?? []
            let list = set.isInterval ? elements : elements.flatMap(\.byPort)
            return stride(from: 0, to: list.count, by: batch).map { (set, list[$0..<min($0 + batch, list.count)]) }
        }
    }

    private static func put(
        _ elements: ArraySlice<SetElement>, of set: NFTablesSet, _ message: nf_tables_msg_types,
        to batch: inout MessageWriter
    ) {
        let isRemoval = message == NFT_MSG_DELSETELEM
        batch.netfilterMessage(type(message), family: family, flags: isRemoval ? 0 : NetlinkFlags.create) { writer in
            name(set, in: &writer)
            writer.nest(Int(NFTA_SET_ELEM_LIST_ELEMENTS.rawValue)) { writer in
                for element in elements { element.write(to: &writer, in: set, keyOnly: isRemoval) }
            }
        }
    }

    private static func put(counter name: String, _ message: nf_tables_msg_types, to batch: inout MessageWriter) {
        let isRemoval = message == NFT_MSG_DELOBJ
        batch.netfilterMessage(type(message), family: family, flags: isRemoval ? 0 : NetlinkFlags.create) { writer in
            writer.put(Int(NFTA_OBJ_TABLE.rawValue), string: OwnRules.tableName)
            writer.put(Int(NFTA_OBJ_NAME.rawValue), string: name)
            writer.put(Int(NFTA_OBJ_TYPE.rawValue), bigEndian: UInt32(NFT_OBJECT_COUNTER))
            if !isRemoval { writer.nest(Int(NFTA_OBJ_DATA.rawValue)) { _ in } }
        }
    }

    private static func name(_ set: NFTablesSet, in writer: inout MessageWriter) {
        writer.put(Int(NFTA_SET_ELEM_LIST_TABLE.rawValue), string: OwnRules.tableName)
        writer.put(Int(NFTA_SET_ELEM_LIST_SET.rawValue), string: set.rawValue)
    }

    private static func type(_ message: nf_tables_msg_types) -> UInt16 {
        subsystem << 8 | UInt16(truncatingIfNeeded: message.rawValue)
    }

    /// - Parameter message: the kernel's own text, if there is one (`NLMSGERR_ATTR_MSG`).
    private static func refusal(_ errno: Errno, message: String? = nil, operation: String) -> RuleError {
        let reason = "\(errno)" + (message.map { " (\($0))" } ?? "")
        return switch errno {
        case .notPermitted, .permissionDenied:
            RuleError(
                code: .notPermitted, operation: operation, reason: reason,
                hint: "this needs CAP_NET_ADMIN: run the program as root")
        case .notSupportedOnSocket, .protocolNotSupported, .addressFamilyNotSupported:
            RuleError(code: .kernelLacksSupport, operation: operation, reason: reason)
        default: RuleError(code: .refused, operation: operation, reason: reason)
        }
    }
}

extension NFTablesWireElement {
    fileprivate var port: UInt16 { element.ports?.lowerBound ?? 0 }
}

extension SetElement {
    /// One element for each port.
    fileprivate var byPort: [SetElement] {
        guard let ports, ports.count > 1 else { return [self] }
        return ports.map { with(ports: $0...$0) }
    }

    fileprivate var counter: String? {
        if case .counter(let name) = value { name } else { nil }
    }
}
