import Netlink

/// What the sources of an agent have reported last.
package final class FoundTasks: Sendable {
    private struct State {
        var tasks: [String: [FoundTask]] = [:]
        var unreachable: [String: String] = [:]
        var absent: [String: String] = [:]
        var isNew = false
    }

    private let state = Locked(State())
    /// The names of the sources that report.
    private let sources: Set<String>

    /// - Parameter sources: the names of the sources that report.
    package init(of sources: [String] = []) { self.sources = Set(sources) }

    /// Takes a report. Gives whether it is news.
    @discardableResult
    package func take(_ report: SourceReport, of source: String) -> Bool {
        state.withLock { state in
            let (unreachable, absent) = (state.unreachable[source], state.absent[source])
            (state.unreachable[source], state.absent[source]) = (nil, nil)
            switch report {
            case .tasks(let tasks):
                guard state.tasks[source] != tasks || unreachable != nil || absent != nil else { return false }
                state.tasks[source] = tasks
            case .unreachable(let reason):
                state.unreachable[source] = reason
                guard unreachable != reason else { return false }
            case .absent(let reason):
                state.absent[source] = reason
                guard absent != reason else { return false }
            }
            state.isNew = true
            return true
        }
    }

    /// The tasks of all sources that have ever reported.
    var tasks: [String: [FoundTask]] { state.withLock { $0.tasks } }

    /// What the agent warns of as long as it holds: sources that cannot be asked, and parts of the spec that a source
    /// has found on this node which is not there any more.
    func warnings(of spec: MeshSpec, on node: String) -> [String] {
        let (unreachable, absent) = state.withLock { ($0.unreachable, $0.absent) }
        let left = Set(spec.origins(besides: MeshSpec()).filter { $0.node == node }.map(\.source))
        let unasked = left.subtracting(unreachable.keys).sorted().compactMap { source -> String? in
            let reason = sources.contains(source) ? absent[source] : "the agent was started without it"
            return reason.map {
                "\(source) is not asked for tasks, and what it found last stays: \($0). `meshctl task ls` lists the tasks; "
                    + "`meshctl task rm`, `meshctl unpublish` and `meshctl service rm` remove what is not wanted"
            }
        }
        return unreachable.sorted { $0.key < $1.key }.map {
            "\($0.key) cannot be asked for tasks, and those that it found last stay: \($0.value)"
        } + unasked
    }

    /// Whether anything was reported since the last call.
    func drain() -> Bool {
        state.withLock { state in
            defer { state.isNew = false }
            return state.isNew
        }
    }
}
