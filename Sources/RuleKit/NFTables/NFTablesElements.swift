import CNFTables
import IPVSKit
import Netlink
import SystemPackage

/// Reads and writes the elements of our sets by netfilter messages. Writing one element takes 12 µs, whatever else the
/// kernel holds; libnftables would first read every set with intervals, including those of other tables.
///
/// In a namespace, by the engine's client: a call ends by the deadline.
struct NFTablesElements: Sendable {
    private static let subsystem = UInt16(10)  // NFNL_SUBSYS_NFTABLES
    private static let family = UInt8(1)  // NFPROTO_INET

    private let client: NetlinkClient
    private let deadline: Duration

    init(_ client: NetlinkClient, deadline: Duration) {
        self.client = client
        self.deadline = deadline
    }

    // MARK: Reading

    /// Everything that is in the sets. A set that changes meanwhile is read again; who holds the mesh's lock is alone with
    /// it, so this ends.
    func read(_ sets: [NFTablesSet]) async throws(RuleError) -> Set<SetElement> {
        guard !sets.isEmpty else { return [] }
        let requests = Messages(sets.count) { range, writer in
            for set in sets[range] {
                let type = Self.type(NFT_MSG_GETSETELEM)
                writer.netfilterMessage(type, family: Self.family, flags: NetlinkFlags.dump) { Self.name(set, in: &$0) }
            }
        }
        let lists: [[[NFTablesWireElement]]]
        do throws(NetlinkError) {
            lists = try await client.lists(requests, deadline: deadline) { index, message in
                Self.elements(message, in: sets[index])
            }
        } catch {
            throw refusal(error, operation: "read the sets of nft table \(OwnRules.table)")
        }
        // Gathered first: a set that grows hashes what it has again and again, and there may be tens of thousands.
        var elements: [SetElement] = []
        for (set, list) in zip(sets, lists) { elements += Self.joined(Array(list.joined()), in: set) }
        return Set(elements)
    }

    private static func elements(_ message: NetlinkMessage, in set: NFTablesSet) -> [NFTablesWireElement] {
        guard var list = message.attributes.first(Int(NFTA_SET_ELEM_LIST_ELEMENTS.rawValue))?.nested else { return [] }
        var found: [NFTablesWireElement] = []
        while let element = list.next() {
            if let element = NFTablesWireElement(element.nested, in: set) { found.append(element) }
        }
        return found
    }

    /// Makes ranges of ports, and networks, from the elements of the kernel: a beginning and an end, or one element for
    /// each port.
    private static func joined(_ found: [NFTablesWireElement], in set: NFTablesSet) -> [SetElement] {
        if NFTablesSet.withSinglePorts.contains(set) { return Array(found.map(\.element).coalesced()) }
        guard set.isInterval, set.key.count == 1 else { return found.map(\.element) }
        let strays = found.map(\.element).filter { $0.stray != nil }
        let others = found.filter { $0.element.stray == nil }
        return strays + (set.key == [.port] ? ranges(others) : networks(others, in: set))
    }

    private static func ranges(_ found: [NFTablesWireElement]) -> [SetElement] {
        let sorted = found.sorted { ($0.port, $0.isEnd ? 0 : 1) < ($1.port, $1.isEnd ? 0 : 1) }
        return sorted.indices.compactMap { index in
            let begin = sorted[index]
            guard !begin.isEnd else { return nil }
            let next = index + 1 < sorted.count ? sorted[index + 1].port : nil
            return begin.element.with(ports: begin.port...(next.map { max($0 - 1, begin.port) } ?? .max))
        }
    }

    /// Each element has one address as its network: the first of the interval, or the first behind it.
    private static func networks(_ found: [NFTablesWireElement], in set: NFTablesSet) -> [SetElement] {
        let keys = found.compactMap { wire in wire.element.prefix.map { (address: $0.address, wire: wire) } }
            .sorted { ($0.address, $0.wire.isEnd ? 0 : 1) < ($1.address, $1.wire.isEnd ? 0 : 1) }
        return keys.indices.compactMap { index in
            let (first, begin) = keys[index]
            guard !begin.isEnd else { return nil }
            let behind = index + 1 < keys.count ? keys[index + 1].address : nil
            return set.element(of: begin.element, from: first, to: behind)
        }
    }

    // MARK: Writing

    /// Takes elements out and puts others in, all or nothing. Counters come and go with the elements that name them.
    func commit(removing removed: [SetElement], putting added: [SetElement]) async throws(RuleError) {
        let edits = Self.edits(removing: removed, putting: added)
        let messages = Messages(edits.count) { range, writer in
            for edit in edits[range] { Self.put(edit, to: &writer) }
        }
        let refusal: TransactionRefusal?
        do throws(NetlinkError) {
            refusal = try await client.commit(messages, subsystem: Self.subsystem, deadline: deadline)
        } catch {
            throw self.refusal(error, operation: "write the elements of nft table \(OwnRules.table)")
        }
        guard let refusal else { return }
        let subject = refusal.index.map { edits[$0].subject } ?? "write the elements"
        throw self.refusal(
            .refused(refusal.errno, message: refusal.message), operation: "\(subject) of nft table \(OwnRules.table)")
    }

    /// One message of a transaction.
    private enum Edit {
        case take(ArraySlice<SetElement>, from: NFTablesSet)
        case put(ArraySlice<SetElement>, into: NFTablesSet)
        case delete(counter: String)
        case make(counter: String)

        /// What it is about, for the message of the one that is refused.
        var subject: String {
            switch self {
            case .take(_, let set): "take elements from \(set.heading)"
            case .put(_, let set): "put elements into \(set.heading)"
            case .delete(let name): "delete counter \(name)"
            case .make(let name): "make counter \(name)"
            }
        }
    }

    private static func edits(removing removed: [SetElement], putting added: [SetElement]) -> [Edit] {
        let (dropped, made) = (Set(removed.compactMap(\.counter)), Set(added.compactMap(\.counter)))
        return inBatches(removed).map { .take($1, from: $0) } + dropped.subtracting(made).map { .delete(counter: $0) }
            + made.map { .make(counter: $0) } + inBatches(added).map { .put($1, into: $0) }
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

    private static func put(_ edit: Edit, to batch: inout MessageWriter) {
        switch edit {
        case .take(let elements, let set): put(elements, of: set, NFT_MSG_DELSETELEM, to: &batch)
        case .put(let elements, let set): put(elements, of: set, NFT_MSG_NEWSETELEM, to: &batch)
        case .delete(let name): put(counter: name, NFT_MSG_DELOBJ, to: &batch)
        case .make(let name): put(counter: name, NFT_MSG_NEWOBJ, to: &batch)
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

    private func refusal(_ error: NetlinkError, operation: String) -> RuleError {
        RuleError(error, waitingFor: "the kernel", deadline: deadline, operation: operation)
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
