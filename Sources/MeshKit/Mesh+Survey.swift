import IPVSKit
import Netlink

extension Mesh {
    /// A survey of this node, made before a change, and what it is asked about after the change.
    struct Surveyed {
        enum Concern {
            /// Some ports of a service, and the tasks to which they lead.
            case ports([PublishedPort], [SpecTask])
            /// All ports.
            case everything
            /// The packets of overlay networks between the nodes.
            case overlays
        }

        var survey: HostSurvey
        var concern: Concern

        init(_ survey: HostSurvey, _ concern: Concern) {
            self.survey = survey
            self.concern = concern
        }
    }

    /// Edits the spec and changes the kernel accordingly, and says what still keeps clients away: from what the edit is
    /// about, and from ports that the node's firewall sees as other ports than before.
    ///
    /// - Parameters:
    ///   - isOfFile: whether a file is applied.
    ///   - edit: changes the spec. It gives nil if nothing else needs to be asked.
    func surveyed(
        cutting cut: ConnectionCut = .none, isOfFile: Bool = false,
        _ edit: @Sendable @escaping (inout MeshSpec, MeshView) async throws -> Surveyed?
    ) async throws -> Publication {
        let found = Locked<(surveyed: Surveyed, moved: [BalancedPort])?>(nil)
        let change = try await change(purpose: .converge, isOfFile: isOfFile, cutting: cut) { spec, view in
            var surveyed = try await edit(&spec, view)
            let moved = PortBalancing.portsTranslatedAnew(from: view.spec, to: spec)
            if surveyed == nil, !moved.isEmpty {
                surveyed = Surveyed(await HostSurvey(on: view.observed), .ports([], []))
            }
            found.withLock { [surveyed] in $0 = surveyed.map { ($0, moved) } }
        }
        guard let (surveyed, moved) = found.withLock(\.self) else { return Publication(change: change, warnings: []) }
        let (survey, tool) = (surveyed.survey, change.ledger[.node].rules)
        var warnings = await survey.warnings(after: change.plan)
        switch surveyed.concern {
        case .everything:
            warnings =
                await survey.warnings(request(change.spec, change.ledger), in: change.datapath, tool) + warnings
        case .ports(let ports, let tasks):
            let general = await survey.warnings(for: tasks) + warnings + survey.unread
            warnings = []
            let concerned = ports.map { BalancedPort(port: $0, tasks: tasks) }
            for concern in concerned + moved {
                warnings += await survey.warnings(concern.port, for: concern.tasks, in: change.datapath, tool)
            }
            warnings += general
        case .overlays:
            warnings =
                await survey.warnings(onOverlaysOf: request(change.spec, change.ledger)) + warnings + survey.unread
        }
        return Publication(change: change, warnings: warnings.eachOnce)
    }
}
