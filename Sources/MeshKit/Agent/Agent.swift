public import Logging
import IPVSKit
import Netlink
public import SystemPackage

/// Keeps a node's kernel as the spec says, for as long as it runs: by a pass at the start, one whenever the documents or
/// the kernel change, and one every two seconds, since the kernel does not tell of everything.
///
/// Between passes it holds nothing that commands need, so they do their work as if there were no agent. When it ends,
/// however it ends, the kernel goes on with what it has.
public struct Agent: Sendable {
    /// What the agent tells its service manager.
    public enum Event: Hashable, Sendable {
        /// The first pass has succeeded.
        case ready
        /// A pass has ended, in whatever way, or has gone on for another ten seconds.
        case alive
        /// The agent begins no further pass.
        case stopping
    }

    /// What the agent reports of its work.
    public enum Report: Sendable {
        /// No other agent works on the same state, and the passes begin.
        case begun
        /// A pass has ended.
        case pass(PassRecord)
    }

    let mesh: Mesh
    let directory: FilePath
    private let events: any AgentEvents
    private let sources: [any TaskSource]
    private let prober: (any HealthProber)?
    private let holder: PortHolder?
    private let limits: PassSchedule.Limits
    private let logger: Logger
    private let tell: @Sendable (Event) -> Void
    private let report: @Sendable (Report) -> Void

    /// An agent of the node whose network namespace the process is in.
    ///
    /// - Parameters:
    ///   - mesh: the mesh that it keeps.
    ///   - directory: the state's folder.
    ///   - sources: what finds tasks by itself.
    ///   - prober: what makes the health checks of services; nil to make none.
    ///   - holder: holds single published ports, so that no program of the node takes them; nil to hold none.
    ///   - logger: gets a line for each thing that was done, and each fault once.
    ///   - tell: called on the agent's own events, for a service manager.
    ///   - report: called on what a pass did, for those who keep count. It must not take time.
    /// - Throws: an error if the system has no descriptor left.
    public init(
        of mesh: Mesh, in directory: FilePath, findingTasksBy sources: [any TaskSource] = [],
        probingBy prober: (any HealthProber)? = nil, holdingPortsBy holder: PortHolder? = nil, logger: Logger,
        telling tell: @escaping @Sendable (Event) -> Void = { _ in },
        reporting report: @escaping @Sendable (Report) -> Void = { _ in }
    ) throws {
        self.init(
            of: mesh, in: directory, events: try NodeEvents(directory: directory, listener: mesh.kernel.listener),
            findingTasksBy: sources, probingBy: prober, holdingPortsBy: holder, logger: logger, telling: tell,
            reporting: report)
    }

    package init(
        of mesh: Mesh, in directory: FilePath, events: any AgentEvents, limits: PassSchedule.Limits = .init(),
        findingTasksBy sources: [any TaskSource] = [], probingBy prober: (any HealthProber)? = nil,
        holdingPortsBy holder: PortHolder? = nil, logger: Logger,
        telling tell: @escaping @Sendable (Event) -> Void = { _ in },
        reporting report: @escaping @Sendable (Report) -> Void = { _ in }
    ) {
        self.mesh = mesh
        self.directory = directory
        self.events = events
        self.limits = limits
        self.sources = sources
        self.prober = prober
        self.holder = holder
        self.logger = logger
        self.tell = tell
        self.report = report
    }

    /// Runs until the task is cancelled. A pass that has begun to change the kernel is finished before.
    ///
    /// - Throws: ``AgentError/isRunning(_:)`` if another agent works on the same folder, and whatever makes the first pass
    ///   fail. Later failures are logged, and tried again.
    public func run() async throws {
        let lock = try await AgentLock(in: directory)
        defer { withExtendedLifetime(lock) {} }
        report(.begun)
        try await events.start { what, reason in
            logger.warning(
                "the agent is not told of this, and looks every two seconds",
                metadata: ["what": "\(what)", "because": "\(reason)"])
        }
        try await withThrowingTaskGroup(of: Void.self) { group in
            let found = FoundTasks(of: sources.map(\.name))
            for source in sources {
                group.addTask { [events] in
                    await source.run { report in
                        if found.take(report, of: source.name) { events.tasksHaveChanged() }
                    }
                }
            }
            let places = Locked<[PlaceID: Place]>([:])
            let health = prober.map { prober in
                HealthMonitor(prober, logger: logger) { [kernel = mesh.kernel] id in
                    guard let place = places.withLock({ $0[id] }) else { throw Errno.noSuchFileOrDirectory }
                    return try await kernel.probeSite(in: place)
                } onChange: { [events] in
                    events.tasksHaveChanged()
                }
            }
            if let health { group.addTask { await health.run() } }
            defer { group.cancelAll() }
            try await runPasses(with: found, health, places)
        }
        tell(.stopping)
        logger.notice("the agent ends; what the kernel holds stays")
    }

    /// Runs passes until the task is cancelled.
    private func runPasses(
        with found: FoundTasks, _ health: HealthMonitor?, _ places: Locked<[PlaceID: Place]>
    ) async throws {
        var progress = Progress(
            schedule: PassSchedule(at: .now, limits: limits), found: found, health: health, places: places)
        while !Task.isCancelled {
            let wait = progress.schedule.due - .now
            if wait > .zero {
                let interest = progress.schedule.interest
                try await events.wait(for: wait, listeningTo: interest)
                if interest != .nothing { progress.schedule.take(news(progress), at: .now) }
            } else {
                try await pass(&progress)
            }
        }
    }

    /// What has happened since somebody asked last.
    private func news(_ progress: Progress) -> AgentNews {
        var news = events.drain()
        progress.takeNews(into: &news)
        return news
    }

    private func pass(_ progress: inout Progress) async throws {
        // The pass looks at everything that has happened until now.
        _ = news(progress)
        progress.unhealthy = progress.health?.verdicts.withLock(\.self)
        let heartbeat = heartbeat()
        defer { heartbeat.cancel() }
        let cause = progress.schedule.cause
        let start = ContinuousClock.now
        progress.schedule.begin(at: start)
        let result: Result<(change: MeshChange, found: Mesh.FoundOutcome), any Error>
        do {
            result = .success(try await change(&progress))
        } catch {
            result = .failure(error)
        }
        mesh.kernel.release()
        var news = await events.endPass(following: try? result.get().change.spec.generation)
        progress.takeNews(into: &news)
        let end = ContinuousClock.now
        // A pass that was dropped because the agent ends is no failure.
        if (try? result.get()) != nil || !Task.isCancelled {
            report(.pass(PassRecord(result.map(\.change), cause, from: start, to: end)))
        }
        switch result {
        case .success((let change, let found)):
            progress.generation = change.spec.generation
            progress.unhealthy = change.ledger.unhealthy
            if let health = progress.health {
                if change.spec.services.values.contains(where: { $0.healthCheck != nil }) {
                    progress.places.withLock {
                        $0 = mesh.compiler.outline(mesh.request(change.spec, change.ledger)).places
                    }
                }
                await health.take(change.spec, unhealthy: change.ledger.unhealthy)
            }
            let failures = progress.schedule.failures
            let wake = change.wake.map {
                Duration.nanoseconds($0.time.nanoseconds) - .nanoseconds(mesh.kernel.now().nanoseconds)
            }
            let lacks = change.ledger.places.values.contains { $0.refusal != nil }
            progress.schedule.end(
                .good(
                    didChange: change.didChange, wake: wake.map { max($0, .zero) },
                    for: change.wake?.reason ?? .retiring, lacksPlaces: lacks), news, at: end)
            logger.log(
                progress.diary.lines(
                    for: change, found.differences,
                    warningOf: found.notes
                        + progress.found.warnings(of: change.spec, on: change.ledger.node)
                        + holdPorts(change.spec), because: cause, after: failures, lasting: end - start))
            if !progress.isReady {
                progress.isReady = true
                logger.notice(
                    "the kernel holds what it should; the agent keeps it so",
                    metadata: ["node": "\(change.ledger.node)", "state": "\(directory)"])
                tell(.ready)
            }
        case .failure(let error):
            // A pass that has not yet begun to change anything ends with the agent.
            if Task.isCancelled, !(error is IncompletePassError) { return }
            guard progress.isReady else { throw error }
            await releasePorts()
            progress.schedule.end(.failed, news, at: end)
            logger.log(
                progress.diary.lines(
                    for: error, because: cause, failures: progress.schedule.failures, next: progress.schedule.due - end)
            )
        }
        tell(.alive)
    }

    /// Tells the service manager during a pass that the agent lives: it may wait minutes for the lock, which a command has. A
    /// pass that does not end at all is given up.
    private func heartbeat() -> Task<Void, any Error> {
        Task { [tell] in
            for _ in 0..<30 {
                try await Task.sleep(for: .seconds(10))
                tell(.alive)
            }
        }
    }

    /// Holds the ports of the spec that a pass has followed.
    ///
    /// - Returns: what cannot be held, in words.
    private func holdPorts(_ spec: MeshSpec) -> [String] {
        guard let holder, let wanted = heldPorts(spec) else { return [] }
        let failures = holder.hold(wanted)
        return failures.sorted { $0.key < $1.key }.map { port, reason in
            let listeners = try? Listeners.read(transport: port.transport, ports: port.number...port.number)
            return port.warning(because: reason, hasListener: listeners?.isEmpty != true)
        }
    }

    /// Releases the ports that are not published any more, after a pass that failed.
    private func releasePorts() async {
        guard let holder, let spec = try? await mesh.store.load(), let wanted = heldPorts(spec) else { return }
        holder.release(allBut: wanted)
    }

    /// The ports of a spec that are to be held; nil if the node's addresses cannot be read, and all stays as it is.
    private func heldPorts(_ spec: MeshSpec) -> Set<HeldPort>? {
        (try? NodeAddresses.read()).map { spec.heldPorts(own: Set($0.map(\.address))) }
    }
}
