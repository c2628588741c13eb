import Netlink

/// What the sources of an agent have reported last.
package final class FoundTasks: Sendable {
    private struct State {
        var tasks: [String: [FoundTask]] = [:]
        var unreachable: [String: String] = [:]
        var isNew = false
    }

    private let state = Locked(State())

    package init() {}

    /// Takes a report. Gives whether it is news.
    @discardableResult
    package func take(_ report: SourceReport, of source: String) -> Bool {
        state.withLock { state in
            switch report {
            case .tasks(let tasks):
                let isBack = state.unreachable.removeValue(forKey: source) != nil
                guard state.tasks[source] != tasks || isBack else { return false }
                state.tasks[source] = tasks
            case .unreachable(let reason):
                guard state.unreachable[source] != reason else { return false }
                state.unreachable[source] = reason
            }
            state.isNew = true
            return true
        }
    }

    /// The tasks of all sources that have ever reported.
    var tasks: [String: [FoundTask]] { state.withLock { $0.tasks } }

    /// What the agent warns of as long as it holds.
    var warnings: [String] {
        state.withLock { state in
            state.unreachable.sorted { $0.key < $1.key }.map {
                "\($0.key) cannot be asked for tasks, and those that it found last stay: \($0.value)"
            }
        }
    }

    /// Whether anything was reported since the last call.
    func drain() -> Bool {
        state.withLock { state in
            defer { state.isNew = false }
            return state.isNew
        }
    }
}
