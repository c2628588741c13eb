import IPVSKit
import RuleKit

extension Ledger {
    /// Adds what the kernel itself says is this node's, for a node whose documents were lost.
    ///
    /// A trace whose rules name another folder is another node's. The values that settings had, and the marks of IPVS
    /// services, are in no trace.
    ///
    /// - Parameter folder: the folder of this ledger.
    mutating func recover(_ traces: [Trace], folder: String) {
        let request = MeshRequest(spec: MeshSpec(), ledger: self, folder: folder)
        let ownFolder = RuleOwner(id: id, folder: folder).folder
        // Nodes that share the kernel have names of their own at the end of those of their namespaces.
        let others = traces.compactMap(\.nameOfNode).filter { $0 != node }
        for trace in traces {
            guard trace.owners.values.allSatisfy({ $0.folder == ownFolder }) else { continue }
            let place: PlaceID
            if trace.location == .node {
                place = .node
            } else if case .name(let name) = trace.location, let own = request.ownPlace(named: name) {
                guard !others.contains(where: { name.hasSuffix("-\($0)") }) else { continue }
                place = own
                self[place].namespace = name
            } else if let path = trace.taskPath, !trace.owners.isEmpty || others.isEmpty && trace.mayBeTask {
                place = .task(path)
            } else {
                // A bridge of another node has no rules that say so.
                continue
            }
            self[place].links.formUnion(trace.links)
            if self[place].rules == nil {
                self[place].rules = RuleTool.allCases.first { trace.owners[$0] != nil }
            }
        }
    }

    /// The names of empty namespaces that may be this node's: nothing but their names says so.
    func bareNames(among traces: Traces, folder: String) -> [String] {
        let request = MeshRequest(spec: MeshSpec(), ledger: self, folder: folder)
        return traces.bare.filter { request.ownPlace(named: $0) != nil }
    }
}

extension Holdings {
    /// Adds the marks to which the node's own rules lead packets, so that the IPVS services of these marks are known for
    /// ours.
    ///
    /// - Returns: a note on the other IPVS services of firewall marks, which may be ours; empty if there are none.
    mutating func recoverMarks(from found: ObservedPlace) -> [String] {
        for element in found.rules.elements {
            guard case .mark(let mark) = element.value, marks[mark] == nil else { continue }
            marks[mark] = OwnedMark(binding: nil)
        }
        let others = Set(found.table.entries.keys.filter { id in id.firewallMark.map { marks[$0] == nil } ?? false })
        guard !others.isEmpty else { return [] }
        let commands = others.map { id in
            "`ipvsadm -D -f \(id.firewallMark!.rawValue)\(id.family == .ipv6 ? " -6" : "")`"
        }
        return [
            "IPVS services of firewall marks stay that may be anybody's, since no rule of this node leads to them; "
                + "if nobody else made them, remove them: \(commands.sorted().joined(separator: ", "))"
        ]
    }
}

extension MeshRequest {
    /// The place whose namespace has a name below `/run/netns`; nil if none of the mesh's has it.
    fileprivate func ownPlace(named name: String) -> PlaceID? {
        if let home = ledger.home, name == LoopbackDetour.namespaceName(nodeInode: home.inode) { return .loopback }
        let suffix = namespaceName(of: PlaceID(rawValue: ""))
        guard name.hasSuffix(suffix) else { return nil }
        let place = PlaceID(rawValue: String(name.dropLast(suffix.count)))
        let isOwn = place == .sandbox || place.overlayNetwork != nil || place.balancedNetwork != nil
        return isOwn ? place : nil
    }
}

extension Trace {
    /// The file by which the namespace is entered as a task's.
    fileprivate var taskPath: String? {
        switch location {
        case .node: nil
        case .name(let name): NamespaceMount.path(of: name)
        case .file(let path): path
        }
    }

    /// Whether the interfaces are those of an attached task.
    fileprivate var mayBeTask: Bool { links.contains(where: MeshNames.isTaskEnd) }

    /// The name of the node whose sandbox the namespace is, of several nodes that share a kernel.
    fileprivate var nameOfNode: String? {
        guard case .name(let name) = location, name.hasPrefix(PlaceID.sandbox.rawValue + "-") else { return nil }
        return String(name.dropFirst(PlaceID.sandbox.rawValue.count + 1))
    }
}
