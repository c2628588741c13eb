import IPVSKit
import Netlink

extension Agent {
    /// What an agent knows from one pass to the next.
    struct Progress {
        var schedule: PassSchedule
        let found: FoundTasks
        /// Nil if nobody makes health checks.
        let health: HealthMonitor?
        /// The places of the last pass, from which tasks are probed.
        let places: Locked<[PlaceID: Place]>
        /// What the last pass was told of the tasks' health; nil if nobody had looked.
        var unhealthy: [String: Set<IPAddress>]?
        /// Why ports that tasks ask for cannot be published on this node.
        let refused = RefusedPorts()
        /// Which found tasks can be taken over.
        var trials = FoundTrials()
        var diary = PassDiary()
        /// The generation of the spec of the last pass; 0 before the first, and for a spec that was never saved.
        var generation: UInt64 = 0
        var isReady = false

        /// Adds whether there are other tasks, or other unhealthy ones.
        func takeNews(into news: inout AgentNews) {
            let isOtherHealth = health?.verdicts.withLock(\.self) != unhealthy
            news.tasks = found.drain() || isOtherHealth
        }
    }
}
