import IPVSKit
import Logging
import Netlink

/// Probes the tasks of services that have a health check, and says which are not healthy.
actor HealthMonitor {
    private let prober: any HealthProber
    private let site: @Sendable (PlaceID) async throws -> ProbeSite
    private let logger: Logger
    private let onChange: @Sendable () -> Void
    private var book = HealthBook()
    private var sleeper: Task<Void, Never>?
    /// What the passes read, without waiting for the actor.
    nonisolated let verdicts = Locked<[String: Set<IPAddress>]?>(nil)

    /// - Parameters:
    ///   - prober: makes the probes.
    ///   - site: gives the namespace of a place.
    ///   - onChange: called when other tasks than before are unhealthy.
    init(
        _ prober: any HealthProber, logger: Logger, at site: @escaping @Sendable (PlaceID) async throws -> ProbeSite,
        onChange: @escaping @Sendable () -> Void
    ) {
        self.prober = prober
        self.site = site
        self.logger = logger
        self.onChange = onChange
    }

    /// Takes the spec that a pass has followed.
    ///
    /// - Parameter unhealthy: the tasks that the ledger says are not healthy.
    func take(_ spec: MeshSpec, unhealthy: [String: Set<IPAddress>]) {
        book.take(spec, unhealthy: unhealthy, at: .now)
        publish()
        sleeper?.cancel()
    }

    /// Probes until the task is cancelled.
    func run() async {
        await withTaskCancellationHandler {
            while !Task.isCancelled {
                let now = ContinuousClock.now
                // Nobody waits for probes that are under way at the end.
                for (batch, probes) in Dictionary(grouping: book.begin(at: now), by: Batch.init) {
                    Task { await self.probe(probes, in: batch.place) }
                }
                await sleep(until: book.due ?? now + .seconds(3600))
            }
        } onCancel: {
            Task { await self.wake() }
        }
    }

    /// Probes that are made together. The answers to all of them come with the last one.
    private struct Batch: Hashable {
        var place: PlaceID
        var timeout: Duration
        var isUDP: Bool

        init(_ probe: HealthProbe) {
            (place, timeout, isUDP) = (probe.place, probe.timeout, probe.method == .udp)
        }
    }

    private func sleep(until due: ContinuousClock.Instant) async {
        guard !Task.isCancelled else { return }
        let sleeping = Task { _ = try? await Task.sleep(until: due, clock: .continuous) }
        sleeper = sleeping
        await sleeping.value
        sleeper = nil
    }

    private func wake() { sleeper?.cancel() }

    private func probe(_ probes: [HealthProbe], in place: PlaceID) async {
        let answers: [HealthProbe: HealthAnswer]
        do {
            answers = await prober.probe(probes, from: try await site(place))
        } catch {
            let unknown = HealthAnswer.unknown("\(error)")
            answers = Dictionary(uniqueKeysWithValues: probes.map { ($0, unknown) })
        }
        for probe in probes {
            guard let change = book.take(answers[probe] ?? .unknown("no answer"), to: probe) else { continue }
            log(change)
        }
        publish()
        wake()
    }

    private func log(_ change: HealthBook.Change) {
        let what = "task \(change.key.task) of service \(change.key.service)"
        switch change.verdict {
        case .good: logger.info("\(what) is healthy")
        case .bad(let reason):
            logger.warning(
                "\(what) is not healthy, and gets no new connections while another task is",
                metadata: ["because": "\(reason)"])
        case .unknown(let reason):
            logger.warning(
                "\(what) cannot be probed, and counts as what it was", metadata: ["because": "\(reason)"])
        }
    }

    private func publish() {
        let unhealthy = book.unhealthy
        let isNew = verdicts.withLock { verdicts in
            defer { verdicts = unhealthy }
            return verdicts ?? [:] != unhealthy
        }
        if isNew { onChange() }
    }
}
