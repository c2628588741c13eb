import IPVSKit
import RuleKit

/// Decides which paths of a node retire: they take no new connections, and stay until their last connection has ended,
/// or until the time that their port gives them is over. Pure.
///
/// A path of a published port retires when the port gets another target, when it moves to the balancer of another place,
/// and when the task or the port leaves. The path of a task that drains is among them as long as it drains. A destination
/// that is not in the ledger was never put up, and one that is not in the kernel has no connections, so neither retires.
/// A path that the spec asks for again does not retire any longer.
///
/// The paths of UDP ports do not retire when their task or the port leaves: a client that goes on sending would stay
/// there for good.
struct Retirement {
    /// The spec to be carried out.
    let spec: MeshSpec
    /// The spec before it, which knows the ports and the attached tasks that leave.
    let former: MeshSpec
    /// Which paths end at once.
    let cut: ConnectionCut
    let now: BootTime
    /// The ledger before a change that failed and is taken back; nil if none is. A path of a port that it does not know
    /// was put up by that change, and goes with it.
    var beforeFailure: Ledger?

    /// Retires paths of all places.
    ///
    /// - Returns: the ledger with the paths that retire. UDP ports whose paths end although they still have flows are
    ///   among its stale flows: conntrack would go on sending datagrams there.
    func applied(to ledger: Ledger, in found: ObservedDatapath) -> Ledger {
        guard ledger.places.values.contains(where: { !$0.marks.isEmpty || !$0.retiring.isEmpty }) else { return ledger }
        var result = ledger
        let wishes = Wishes(spec: spec, former: former, cut: cut, gone: ledger.addressesGone(in: found, former, spec))
        for (place, holdings) in ledger.places.sorted(by: { $0.key < $1.key }) {
            let table = found[place].table
            func isInKernel(_ destination: Destination.ID, _ mark: FirewallMark) -> Bool {
                table.entries[.firewallMark(mark, destination.address.family)]?[destination] != nil
            }
            func fate(_ destination: Destination.ID, _ path: RetiringPath) -> Fate {
                let fate = wishes.fate(of: destination, path.mark, path.binding.transport, at: place)
                guard fate == .retires else { return fate }
                if let until = path.until, until <= now { return .isCut }
                // A path that has just begun to retire took new connections while the kernel was observed.
                guard path.since < now else { return .retires }
                let id = VirtualService.ID.firewallMark(path.mark, destination.address.family)
                let isIdle = found[place].connections[RetiringDestination(destination, of: id)] == 0
                return isInKernel(destination, path.mark) && !isIdle ? .retires : .ends
            }
            var retiring: [RetiringPath] = []
            for path in holdings.retiring {
                let fates = Dictionary(uniqueKeysWithValues: path.destinations.map { ($0, fate($0, path)) })
                if path.binding.transport == .udp, fates.values.contains(.isCut) {
                    result[place].staleFlows.insert(path.binding)
                    result[.node].staleFlows.insert(wishes.paths[path.mark]?.port.listening ?? path.binding)
                }
                var left = path
                left.destinations = path.destinations.filter { fates[$0] == .retires || fates[$0] == .drains }
                left.tasks = tasks(behind: left.destinations, of: path)
                if !left.destinations.isEmpty { retiring.append(left) }
            }
            let known = Set(holdings.retiring.flatMap { path in path.destinations.map { Key(path.mark, $0) } })
            for (mark, owned) in holdings.marks {
                guard let binding = owned.binding, beforeFailure.map({ $0[place].marks[mark] != nil }) ?? true else {
                    continue
                }
                let port = wishes.ports[mark]
                let leaving = owned.destinations.filter {
                    guard !known.contains(Key(mark, $0)), isInKernel($0, mark) else { return false }
                    let fate = wishes.fate(of: $0, mark, binding.transport, at: place)
                    return fate == .drains || (fate == .retires && port?.drain != .seconds(0))
                }
                guard !leaving.isEmpty else { continue }
                retiring.append(
                    RetiringPath(
                        mark: mark, binding: binding, targets: binding.isRange ? port?.targets : nil,
                        destinations: leaving, tasks: tasks(behind: leaving), since: now,
                        until: port?.drain.end(from: now)))
            }
            result[place].retiring = retiring.sorted { ($0.since, $0.mark) < ($1.since, $1.mark) }
        }
        return result
    }

    /// The ledger with the paths that begin to retire, besides all that retire already.
    func begun(in ledger: Ledger, _ found: ObservedDatapath) -> Ledger {
        var result = ledger
        for (place, holdings) in applied(to: ledger, in: found).places {
            for index in result[place].retiring.indices {
                let path = result[place].retiring[index]
                result[place].retiring[index].tasks += tasks(behind: path.destinations).filter {
                    !path.tasks.contains($0)
                }
            }
            result[place].retiring += holdings.retiring.filter { $0.since == now }
        }
        return result
    }

    /// The attached tasks that are reached at one of the destinations and are not in the spec: those that leave now, and
    /// those that a path has already. A path may have begun to retire before its task leaves.
    private func tasks(behind destinations: Set<Destination.ID>, of path: RetiringPath? = nil) -> [SpecTask] {
        let known = path?.tasks ?? []
        let leaving = former.attachedTasks().map(\.task).filter { !known.contains($0) }
        return (known + leaving).filter { task in
            destinations.contains { task.isReached(at: $0) } && !spec.usesAgain(task)
        }
    }

    private struct Key: Hashable {
        var mark: FirewallMark
        var destination: Destination.ID

        init(_ mark: FirewallMark, _ destination: Destination.ID) {
            self.mark = mark
            self.destination = destination
        }
    }
}

/// What becomes of a destination that a balancer has.
private enum Fate {
    /// It has new connections again, or no connections any more, or its task has ended.
    case ends
    /// It stays, as long as its task drains.
    case drains
    /// It stays, as long as it has connections.
    case retires
    /// Its connections end although they could go on.
    case isCut
}

/// What a spec and a command want of the destinations of balancers.
private struct Wishes {
    let paths: [FirewallMark: PublishedPath]
    /// The ports by mark, those that leave included.
    let ports: [FirewallMark: PublishedPort]
    private let cut: ConnectionCut.Scope
    /// The addresses of attached tasks that have ended.
    private let gone: Set<IPAddress>

    init(spec: MeshSpec, former: MeshSpec, cut: ConnectionCut, gone: Set<IPAddress>) {
        paths = spec.paths
        ports = Dictionary(
            (spec.services.values.flatMap(\.ports) + former.services.values.flatMap(\.ports)).map { ($0.mark, $0) }
        ) { first, _ in first }
        self.cut = cut.scope([spec, former])
        self.gone = gone
    }

    /// What becomes of a destination that has connections which could go on.
    func fate(
        of destination: Destination.ID, _ mark: FirewallMark, _ transport: TransportProtocol, at place: PlaceID
    ) -> Fate {
        let wish = paths[mark]?.wish(for: destination, at: place) ?? .leaves
        switch wish {
        case .serves: return .ends
        case .drains: return .drains
        case .isReplaced, .leaves: break
        }
        if place == .sandbox, gone.contains(destination.address) { return .ends }
        if cut.contains(destination, mark) { return .isCut }
        guard wish == .leaves, transport == .udp else { return .retires }
        // With the port, all of its flows are forgotten; with a task, those of the task, as the planner sees to.
        return paths[mark] == nil ? .isCut : .ends
    }
}

extension Ledger {
    /// The addresses on ingress of this node's attached tasks whose namespaces have ended. No connection to them can go
    /// on.
    fileprivate func addressesGone(in found: ObservedDatapath, _ specs: MeshSpec...) -> Set<IPAddress> {
        guard !found.node.gone.isEmpty else { return [] }
        let tasks =
            specs.flatMap { $0.attachedTasks().map(\.task) } + places.values.flatMap(\.retiring).flatMap(\.tasks)
        return Set(
            tasks.filter { task in
                task.node == node && (task.attachment.map { found.node.gone.contains(.task($0.namespace)) } ?? false)
            }
            .flatMap { $0.addresses(by: .ingress) })
    }
}

extension MeshSpec {
    /// Whether the namespace or an address of a task that has left belongs to somebody in this spec. Another node, which does
    /// not know of the connections, may have given an address away.
    func usesAgain(_ task: SpecTask) -> Bool {
        guard let gone = task.attachment else { return true }
        let addresses = Set(gone.addresses.values.joined())
        if networks.values.contains(where: { $0.balancers.values.contains { !addresses.isDisjoint(with: $0) } })
            || services.values.contains(where: {
                $0.virtualAddresses.values.contains { !addresses.isDisjoint(with: $0.addresses) }
            })
        {
            return true
        }
        return attachedTasks().contains { _, other, attachment in
            let isNeighbour = other.node == task.node
            return !addresses.isDisjoint(with: attachment.addresses.values.joined())
                || (isNeighbour && attachment.namespace == gone.namespace)
                // Each node has a gateway bridge of its own.
                || (isNeighbour && !Set(gone.gatewayAddresses).isDisjoint(with: attachment.gatewayAddresses))
        }
    }
}
