/// One pass of an agent, with what was found.
extension Agent {
    typealias Outcome = (change: MeshChange, found: Mesh.FoundOutcome)

    /// One pass. It refuses a spec that was never saved where there was one before.
    ///
    /// If it fails with the tasks that were found, they are told apart. First nothing new is taken over, so that tasks that
    /// have left or cannot serve get no connections whatever comes of the others; then one half of the suspects is tried,
    /// and the other one, and of a half that fails its halves.
    func change(_ progress: inout Progress) async throws -> Outcome {
        let found = progress.found.tasks
        let putOff = progress.trials.putOff(at: .now)
        do {
            var outcome = try await follow(found, puttingOff: putOff, progress)
            progress.trials.settle(found, besides: putOff)
            outcome.found.notes += progress.trials.notes
            return outcome
        } catch  where !found.isEmpty && !(error is AgentError) && !Task.isCancelled {
            let suspects = progress.trials.suspects(in: found)
            var outcome: Outcome
            do {
                outcome = try await follow(found, puttingOff: putOff.union(suspects), progress)
            } catch  where !(error is AgentError) && !Task.isCancelled {
                // The pass does not fail for anything that is new.
                outcome = try await follow([:], puttingOff: [], progress)
                outcome.found.notes = ["the tasks that were found cannot be taken over: \(error)"]
                return outcome
            }
            var left = putOff.union(suspects)
            try await tryApart(suspects[...], of: found, &left, &progress, &outcome)
            progress.trials.settle(found, besides: left)
            outcome.found.notes += progress.trials.notes
            return outcome
        }
    }

    /// Takes over those of the suspects that can be, and adds what came of it to the outcome.
    ///
    /// - Parameter left: the tasks of which nothing new has been taken over.
    private func tryApart(
        _ suspects: ArraySlice<FoundTaskID>, of found: [String: [FoundTask]], _ left: inout Set<FoundTaskID>,
        _ progress: inout Progress, _ outcome: inout Outcome
    ) async throws {
        for half in [suspects.prefix(suspects.count / 2), suspects.dropFirst(suspects.count / 2)] where !half.isEmpty {
            do {
                let next = try await follow(found, puttingOff: left.subtracting(half), progress)
                left.subtract(half)
                outcome = (
                    next.change.following(outcome.change),
                    Mesh.FoundOutcome(
                        notes: next.found.notes, differences: outcome.found.differences + next.found.differences)
                )
            } catch  where !(error is AgentError) && !Task.isCancelled {
                if half.count == 1 {
                    progress.trials.refuse(half.first!, because: error, at: .now)
                } else {
                    try await tryApart(half, of: found, &left, &progress, &outcome)
                }
            }
        }
    }

    private func follow(
        _ found: [String: [FoundTask]], puttingOff putOff: Set<FoundTaskID>, _ progress: Progress
    ) async throws -> Outcome {
        let (directory, generation) = (directory, progress.generation)
        return try await mesh.follow(
            retry: progress.schedule.retriesPlaces, unhealthy: progress.unhealthy, found: found, puttingOff: putOff,
            refusing: progress.refused
        ) { spec, ledger in
            // A ledger that has something says so although the agent has just begun.
            if generation > 0 || !ledger.places.isEmpty, spec.generation == 0 {
                throw AgentError.specIsGone(directory)
            }
        }
    }
}

extension MeshChange {
    /// The outcome of this pass, which came after another one.
    fileprivate func following(_ former: MeshChange) -> MeshChange {
        var change = self
        change.plan = former.plan.followed(by: plan)
        change.didChange = change.didChange || former.didChange
        change.freedPorts.formUnion(former.freedPorts)
        return change
    }
}
