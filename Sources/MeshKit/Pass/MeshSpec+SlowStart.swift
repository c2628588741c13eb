import IPVSKit

/// Tasks that start slowly: which do, since when, and what the kernel is to have of them. Pure.
extension MeshSpec {
    /// The records of the services whose tasks start slowly, by service.
    ///
    /// A task starts slowly if it gets new connections now, and got none after the last pass: it is new, or healthy again,
    /// or does not drain any more. It does so until its time is over, or until it gets no new connections any more. While
    /// nobody else could take the load, nobody starts slowly: at first, while no task is healthy, and once all others have
    /// left. Tasks of another family cannot take it (``MeshSpec/Service/groupsSharingLoad(among:)``).
    ///
    /// - Parameters:
    ///   - records: those of the last pass. A service without one, which is new or had no slow start, has the tasks of
    ///     the former spec.
    ///   - former: the spec before an edit.
    ///   - gone: the places of this node's tasks whose namespaces have ended.
    func startRecords(
        after records: [String: StartRecord], former: MeshSpec, on node: String, without gone: Set<PlaceID>,
        at now: BootTime
    ) -> [String: StartRecord] {
        var result: [String: StartRecord] = [:]
        for (name, service) in services {
            guard let seconds = service.effectiveSlowStart else { continue }
            let groups = service.usedTasks(on: node, without: gone)
            guard !groups.isEmpty else { continue }
            let before =
                records[name]
                ?? StartRecord(used: Set((former.services[name]?.usedTasks(on: node) ?? []).joined()))
            var record = StartRecord(used: Set(groups.joined()))
            for group in groups {
                var starts: [IPAddress: BootTime] = [:]
                for task in group {
                    let since = before.used.contains(task) ? before.since[task] : now
                    guard let since, SlowStart.step(since: since, lasting: seconds, at: now) != nil else { continue }
                    starts[task] = since
                }
                if !service.isInPanic, starts.count < group.count { record.since.merge(starts) { $1 } }
            }
            result[name] = record
        }
        return result
    }

    /// The spec with the weights that the kernel is to have.
    func weighted(by records: [String: StartRecord], at now: BootTime) -> MeshSpec {
        var spec = self
        for (name, record) in records where !record.since.isEmpty {
            guard let service = services[name] else { continue }
            var weights: [IPAddress: UInt32] = [:]
            for group in service.groupsSharingLoad(among: service.tasks.filter { record.used.contains($0.address) }) {
                let shares = group.map {
                    SlowStart.Share(weight: $0.weight, step: service.step(of: $0, record, at: now))
                }
                for (task, weight) in zip(group, SlowStart.weights(shares)) { weights[task.address] = weight }
            }
            spec.services[name]!.tasks = service.tasks.map { task in
                var task = task
                task.weight = weights[task.address] ?? task.weight
                return task
            }
        }
        return spec
    }

    /// The tasks that start slowly, in order.
    func slowStarters(of records: [String: StartRecord], at now: BootTime) -> [SlowStarter] {
        records.sorted { $0.key < $1.key }.flatMap { name, record -> [SlowStarter] in
            guard let service = services[name], let seconds = service.effectiveSlowStart else { return [] }
            return record.since.sorted { $0.key < $1.key }.compactMap { task, since in
                SlowStart.step(since: since, lasting: seconds, at: now).map { step in
                    SlowStarter(
                        service: name, task: task, tenths: step,
                        stepEnd: SlowStart.end(of: step, since: since, lasting: seconds),
                        secondsLeft: SlowStart.end(of: SlowStart.steps, since: since, lasting: seconds)
                            .secondsBegun(since: now))
                }
            }
        }
    }
}

extension MeshSpec.Service {
    /// For how many seconds tasks start slowly; nil if they do not, also because the scheduler cannot.
    fileprivate var effectiveSlowStart: UInt32? {
        guard scheduler.faultForSlowStart == nil, let slowStartSeconds, slowStartSeconds > 0 else { return nil }
        return slowStartSeconds
    }

    fileprivate func step(of task: SpecTask, _ record: StartRecord, at now: BootTime) -> UInt32? {
        guard let seconds = effectiveSlowStart else { return nil }
        return record.since[task.address].flatMap { SlowStart.step(since: $0, lasting: seconds, at: now) }
    }

    /// The tasks that get new connections from somebody, by those that share the load.
    fileprivate func usedTasks(on node: String, without gone: Set<PlaceID> = []) -> [Set<IPAddress>] {
        let used = balancedTasks.lazy.filter { task in
            let isGone = task.node == node && (task.attachment.map { gone.contains(.task($0.namespace)) } ?? false)
            return task.share > 0 && !isGone
        }
        return groupsSharingLoad(among: used).map { Set($0.map(\.address)) }
    }
}
