import IPVSKit
import RuleKit

/// One pass as a function: from the spec, the ledger and the observed kernel it computes the plan, and the ledger
/// before and after the plan. Pure: no input or output, no clock.
package struct Pass {
    /// The purpose of a pass.
    package enum Purpose: Equatable, Sendable {
        /// Makes the kernel hold what the spec asks for.
        case converge
        /// Takes everything down and restores the original settings.
        case reset
        /// Takes back a failed change, after the spec is as before. Settings that the change alone has claimed are
        /// restored; the ledger of before tells which.
        case undo(of: Ledger)
    }

    /// The result of a pass.
    package struct Outcome: Equatable, Sendable {
        /// The ledger with everything that the plan may touch. It has to be saved before the first step, so that the
        /// next pass knows what is ours whenever this process dies.
        package var claims: Ledger
        /// The steps to take.
        package var plan: Plan
        /// What the kernel should hold once the plan has been carried out.
        package var datapath: Datapath
        /// When the next pass is due although nothing else changes; nil if none is.
        package var wake: Wake?
        /// The ledger once the plan has been carried out.
        package var settled: Ledger
    }

    /// - Parameters:
    ///   - former: the spec before an edit; nil if there was none.
    ///   - cut: which connections of retiring paths end at once.
    ///   - tool: the tool that writes the rules.
    ///   - folder: the folder of the ledger, which the rules name as their owner.
    ///   - kept: the reason why forwarding of a family has to stay on although it would be restored, by the setting
    ///     that switches it.
    package static func run(
        spec: MeshSpec, former: MeshSpec? = nil, ledger: Ledger, observed: ObservedDatapath,
        purpose: Purpose = .converge, cutting cut: ConnectionCut = .none, tool: RuleTool,
        compiler: Compiler = Compiler(), folder: String? = nil, keepingForwarding kept: [Sysctl: String] = [:],
        now: BootTime
    ) -> Outcome {
        let former = (former ?? spec).judging(ledger.unhealthy)
        let spec = spec.judging(ledger.unhealthy)
        var request = MeshRequest(spec: spec, ledger: ledger, folder: folder)
        request.defaultAddresses = observed.node.defaultAddresses
        request.hasZones = observed.node.hasZones
        request.underlayMTU = observed.node.underlayMTU
        switch purpose {
        case .reset:
            request.spec = MeshSpec()
            request.ledger.forgetRefusals()
        case .converge, .undo: break
        }
        let isReset = purpose == .reset
        var retirement = Retirement(spec: request.spec, former: former, cut: isReset ? .all : cut, now: now)
        if case .undo(let before) = purpose { retirement.beforeFailure = before }
        request.ledger = retirement.applied(to: request.ledger, in: observed)
        request.startSlowly(former, purpose, without: observed.node.gone, at: now)
        request.foreignMarks = request.spec.marks.intersection(observed.marks)
            .subtracting(request.ledger[.node].marks.keys)
        let notes =
            request.spec.notes(onForeign: request.foreignMarks) + request.spec.notesOnDrains
            + request.spec.notesOnHealth + request.notesOnNode(at: observed.node)
            + request.notes(onGone: observed.node.gone)

        let outline = compiler.outline(request)
        var datapath = compiler.compile(request, on: observed.node)
        for place in datapath.places.values {
            guard let conflict = place.conflict(in: observed, request.ledger) else { continue }
            request.ledger[place.id].refusal = conflict
            datapath = compiler.compile(request, on: observed.node)
        }
        for link in datapath.links {
            guard let conflict = link.conflict(in: observed) else { continue }
            request.ledger[link.purpose].refusal = conflict
            datapath = compiler.compile(request, on: observed.node)
        }

        // The settings of a namespace that is removed go with it.
        let restored = formerSettings(purpose, request.ledger, datapath, keeping: kept).filter { place, _ in
            if case .own = outline.places[place]?.existence { datapath.places[place] != nil } else { true }
        }
        var plan = Planner.plan(
            from: observed, to: datapath, outline: outline, ledger: request.ledger, tool: tool,
            restoring: restored)
        plan.notes =
            notes + request.notesOnRefusedNetworks + request.notesOnPeers + request.notesOnRoutes
            + request.notesOnZones + plan.notes
        plan.retiring = request.ledger.connections(in: observed, for: request.spec, now: now)
        plan.starting = request.spec.slowStarters(of: request.ledger.starts, at: now)
        let claims = request.ledger.claiming(plan, for: datapath, in: observed, by: tool, marks: request.servedMarks)
        return Outcome(
            claims: claims, plan: plan, datapath: datapath, wake: claims.wake(now: now, for: plan.starting),
            settled: claims.settled(
                for: datapath, in: observed, marks: request.servedMarks, givingBack: restored, purpose: purpose))
    }

    private static func formerSettings(
        _ purpose: Purpose, _ ledger: Ledger, _ datapath: Datapath, keeping kept: [Sysctl: String]
    ) -> [PlaceID: FormerSettings] {
        switch purpose {
        case .converge: return [:]
        case .reset:
            return ledger.places.mapValues { holdings in
                var former = FormerSettings(holdings)
                former.kept = kept
                return former
            }
        case .undo(let before):
            return Dictionary(
                uniqueKeysWithValues: ledger.places.map { place, holdings in
                    var former = FormerSettings(holdings)
                    for sysctl in before[place].settings.keys { former.settings[sysctl] = nil }
                    // The settings that the spec still needs stay.
                    for sysctl in datapath[place].sysctls.keys { former.settings[sysctl] = nil }
                    if before[place].originalTCPTimeoutSeconds != nil || datapath[place].tcpTimeoutSeconds != nil {
                        former.tcpTimeoutSeconds = nil
                    }
                    former.kept = kept
                    return (place, former)
                })
        }
    }
}

extension MeshRequest {
    /// The marks of the ports that each place balances, with the ports as the place knows them.
    var servedMarks: [PlaceID: [FirewallMark: PortBinding]] {
        var marks: [PlaceID: [FirewallMark: PortBinding]] = [.node: [:], .sandbox: [:]]
        for service in spec.services.values {
            for port in service.ports {
                switch service.balancing {
                case .host where foreignMarks.contains(port.mark): continue
                case .host: marks[.node]?[port.mark] = port.listening
                case .ingress: marks[.sandbox]?[port.mark] = port.inSandbox.listening
                }
            }
        }
        return marks
    }
}

extension MeshRequest {
    /// Notes which tasks start slowly, and gives all tasks the weights that the kernel is to have.
    fileprivate mutating func startSlowly(
        _ former: MeshSpec, _ purpose: Pass.Purpose, without gone: Set<PlaceID>, at now: BootTime
    ) {
        // A change that is taken back has changed nothing: a task that it took away is not new.
        let records = if case .undo(let before) = purpose { before.starts } else { ledger.starts }
        let starts = spec.startRecords(after: records, former: former, on: ledger.node, without: gone, at: now)
        if starts != ledger.starts { ledger.starts = starts }
        if starts.values.contains(where: { !$0.since.isEmpty }) { spec = spec.weighted(by: starts, at: now) }
    }

    fileprivate func notes(onGone places: Set<PlaceID>) -> [String] {
        guard !places.isEmpty else { return [] }
        return spec.attachedTasks().filter {
            $0.task.node == ledger.node && places.contains(.task($0.attachment.namespace))
        }
        .map { service, task, attachment in
            let again = attachment.container.map { " with `meshctl task attach \(service) --container \($0)`" } ?? ""
            return "task \(task.address) of service \(service) is gone: \(attachment.namespace) no longer leads to its "
                + "namespace; attach it again\(again), or forget it with `meshctl task detach \(service) "
                + "\(task.address)`"
        }
    }

    /// A note if the mesh counts on zones that this node's kernel does not have, as after a reboot into another one.
    fileprivate var notesOnZones: [String] {
        guard ownNode?.hasZones == true, hasZones == false else { return [] }
        return [
            "the mesh takes this node's kernel for one with conntrack zones, which it is not: connections from one port of "
                + "a client by several nodes can hang; record it with `meshctl node add \(ledger.node)`, and give the "
                + "other nodes the new mesh by `meshctl export`"
        ]
    }

    /// A note for each task of this node that lacks a default route by which it could answer clients.
    fileprivate var notesOnRoutes: [String] {
        guard takesPartInIngress else { return [] }
        let ingress = ingressFamilies
        return joinableTasks.compactMap { task in
            guard defaultAddresses[task.place] != nil, let addresses = task.attachment.addresses[MeshNetwork.ingress]
            else { return nil }
            let ways = task.familiesWithWayOut.union(task.attachment.gatewayAddresses.map(\.family))
            let lost = Set(addresses.map(\.family)).intersection(ingress).subtracting(ways)
            guard let family = lost.min() else { return nil }
            return "task \(addresses[0]) has no default route of \(family), and cannot answer clients: give "
                + "\(task.attachment.namespace) one, or attach it again"
        }
    }

    /// A note for each task of this node and each of its networks that this host has refused.
    fileprivate var notesOnRefusedNetworks: [String] {
        let networks = ownNetworks
        return spec.attachedTasks().filter { $0.task.node == ledger.node }.flatMap { task in
            task.attachment.addresses.keys.sorted().filter { networks[$0] == nil }.map {
                "task \(task.task.address) of service \(task.service) is not joined to the network \($0), which this "
                    + "host does without"
            }
        }
    }
}

extension MeshSpec {
    fileprivate func notes(onForeign marks: Set<FirewallMark>) -> [String] {
        guard !marks.isEmpty else { return [] }
        return services.values.flatMap(\.ports).filter { marks.contains($0.mark) }.sorted {
            $0.listening < $1.listening
        }
        .map {
            "\($0.listening) is not served: the kernel has an IPVS service with its mark \($0.mark), which this node "
                + "did not make; remove that service, or unpublish the port and publish it again"
        }
    }
}
