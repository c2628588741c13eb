import CNFTables
import IPVSKit
import Netlink
import SystemPackage

/// What is in our sets, as netfilter messages: 12 µs for one, whatever else the kernel holds, where libnftables first
/// reads every set with intervals, other tables' too.
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

    /// Everything that is in the sets.
    mutating func read(_ sets: [NFTablesSet]) throws(RuleError) -> Set<SetElement> {
        // Gathered first: a set that grows hashes what it has again and again, and there may be tens of thousands.
        var elements: [SetElement] = []
        for set in sets { elements += Self.joined(try read(set), in: set) }
        return Set(elements)
    }

    private mutating func read(_ set: NFTablesSet) throws(RuleError) -> [NFTablesWireElement] {
        // Read again where it changed meanwhile; who holds the mesh's lock is alone with it, so this ends.
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

    /// Makes ranges of what the kernel holds as a beginning and an end, or port by port.
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

    /// Takes elements out and puts others in, all or nothing. Counters come and go with the elements that name them.
    mutating func commit(removing removed: [SetElement], putting added: [SetElement]) throws(RuleError) {
        // What each message of the batch is about, for the message of the one that is refused.
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

    /// An attribute has room for 64 KiB, which no so many elements fill.
    private static let batch = 400

    /// By set, each as the kernel holds it, and no more at a time than an attribute has room for.
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

    /// - Parameter message: the kernel's own words, where it has some (`NLMSGERR_ATTR_MSG`).
    private static func refusal(_ errno: Errno, message: String? = nil, operation: String) -> RuleError {
        let reason = "\(errno)" + (message.map { " (\($0))" } ?? "")
        return switch errno {
        case .notPermitted, .permissionDenied:
            RuleError(
                code: .notPermitted, operation: operation, reason: reason,
                hint: "it takes CAP_NET_ADMIN: run it as root")
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
    /// One element for each of its ports.
    fileprivate var byPort: [SetElement] {
        guard let ports, ports.count > 1 else { return [self] }
        return ports.map { with(ports: $0...$0) }
    }

    fileprivate var counter: String? {
        if case .counter(let name) = value { name } else { nil }
    }
}
