import IPVSKit
import MeshKit

/// The containers of one engine, as far as its descriptions and events tell. A value without effects.
struct ContainerBook {
    /// The containers that run, by id.
    private var running: [String: ContainerInspection] = [:]
    /// What the engine's list says of them: less than a description, and no process.
    private var listed: [String: ContainerInspection] = [:]
    /// The containers of the first list that nobody has looked at yet.
    private var unseen: Set<String> = []
    /// Whether there was a list.
    private(set) var hasList = false
    /// Which containers run and which do not, as far as the engine has told since it was asked for a list. Nil if no
    /// list is awaited.
    private var newer: [String: Bool]?
    /// The containers that were told to end, and have not ended yet.
    private var stopping: [String: ContinuousClock.Instant] = [:]
    /// Those of them that should have ended, and of which nobody knows whether they still serve.
    private var overdue: Set<String> = []
    /// Why containers could not be looked at, by id.
    private var faults: [String: String] = [:]
    /// How long after its own time to end a container counts as one that has not followed.
    private static let patience = Duration.seconds(60)
    /// Whether this node reaches the containers on a network of the engine, by the network's id.
    private var networks: [String: Bool] = [:]

    /// The ids of the networks that are known.
    var knownNetworks: Set<String> { Set(networks.keys) }

    /// The signal by which a container is told to end, if its image names one.
    func stopSignal(of id: String) -> String? { running[id]?.config?.stopSignal }

    /// Whether a container was told to end, and has not ended yet.
    func isStopping(_ id: String) -> Bool { stopping[id] != nil }

    /// Whether the engine did not describe a container when it was asked last.
    func isFaulty(_ id: String) -> Bool { faults[id] != nil }

    /// Takes all networks of the engine. Answers may come in another order than they were made, so networks that
    /// containers are on stay.
    mutating func take(_ networks: [EngineNetwork]) {
        let used = running.values.reduce(into: Set<String>()) { $0.formUnion($1.networkIDs) }
        self.networks = self.networks.filter { used.contains($0.key) }
        for network in networks { self.networks[network.id] = network.isReached }
    }

    /// Takes an event.
    ///
    /// - Returns: whether the container has to be looked at.
    mutating func take(_ event: ContainerEvent, at now: ContinuousClock.Instant) -> Bool {
        switch event.kind {
        case .stops:
            stopping[event.container] = stopping[event.container] ?? now
            return false
        case .isGone:
            forget(event.container)
            newer?[event.container] = false
            return false
        case .starts:
            goOn(event.container)
            newer?[event.container] = true
            return true
        case .changes: return true
        }
    }

    /// Takes a description; nil for a container that there is not.
    ///
    /// - Parameter isListening: whether its programs wait for clients, as far as somebody has looked.
    mutating func take(
        _ found: ContainerInspection?, of id: String, isListening: Bool = false, at now: ContinuousClock.Instant
    ) {
        guard let found, found.isServing else { return forget(id) }
        // It was started anew while nobody listened to the engine.
        if let before = running[id], before.hasBegun(before: found) { goOn(id) }
        running[id] = found
        faults[id] = nil
        unseen.remove(id)
        newer?[id] = true
        // It was told to end and goes on: some programs do something else when they get the signal, and others take
        // their time for the connections that they have.
        guard let since = stopping[id], let end = found.timeToEnd, now - since > end + Self.patience else { return }
        if found.serves(isListening: isListening) { goOn(id) } else { overdue.insert(id) }
    }

    /// Notes that a container goes on, whatever it was told.
    private mutating func goOn(_ id: String) {
        stopping[id] = nil
        overdue.remove(id)
    }

    /// Notes that a container cannot be looked at. What was known of it holds.
    mutating func fail(_ id: String, _ reason: String) {
        faults[id] = reason
        unseen.remove(id)
    }

    private mutating func forget(_ id: String) {
        running[id] = nil
        listed[id] = nil
        goOn(id)
        faults[id] = nil
        unseen.remove(id)
    }

    /// Notes that the engine is asked for a list. What it tells until the list comes is newer than the list.
    mutating func beginList() { newer = [:] }

    /// Takes the list of the containers that run, and forgets all others.
    ///
    /// - Returns: the containers that have to be looked at.
    mutating func take(list: [String: ContainerInspection]) -> Set<String> {
        let newer = newer ?? [:]
        self.newer = nil
        for id in Set(running.keys).union(stopping.keys).union(faults.keys).union(unseen)
        where list[id] == nil && newer[id] != true { forget(id) }
        listed = list.filter { newer[$0.key] != false }
        if !hasList { unseen = Set(listed.keys).subtracting(running.keys).subtracting(faults.keys) }
        hasList = true
        return Set(listed.keys)
    }

    /// The tasks, by name.
    var tasks: [FoundTask] {
        let unreachable = Set(networks.filter { !$0.value }.keys)
        let found = running.filter { stopping[$0.key] == nil || overdue.contains($0.key) }.compactMap { id, found in
            var task = FoundTask(found, besides: unreachable)
            task?.needsCheck = overdue.contains(id)
            return task
        }
        let others = faults.filter { stopping[$0.key] == nil }.map { id, reason in
            var task = listedTask(id, besides: unreachable) ?? FoundTask(String(id.prefix(12)), services: [])
            task.isOnlyListed = true
            task.faults = ["container \(task.name) cannot be looked at, and is left as it was: \(reason)"]
            return task
        }
        // Whatever they are in the mesh, they stay until somebody has looked at them.
        let unseen = unseen.filter { stopping[$0] == nil }.compactMap { id in
            var task = listedTask(id, besides: unreachable)
            task?.isOnlyListed = true
            task?.faults = []
            return task
        }
        return (found + others + unseen).sorted { $0.name < $1.name }
    }

    /// A container that nobody has described, by the list.
    private func listedTask(_ id: String, besides unreachable: Set<String>) -> FoundTask? {
        running[id] == nil ? listed[id].flatMap { FoundTask($0, besides: unreachable) } : nil
    }
}

extension ContainerInspection {
    /// Whether the container runs and is not held.
    fileprivate var isServing: Bool { state.running && state.process > 0 && state.paused != true }

    /// Whether this is another run of the container than a later description is of.
    fileprivate func hasBegun(before other: Self) -> Bool {
        state.process != other.state.process || state.startedAt != other.state.startedAt
    }

    /// How long the engine waits for the container to end; nil without an end.
    fileprivate var timeToEnd: Duration? {
        let seconds = config?.stopTimeout ?? 10
        return seconds < 0 ? nil : .seconds(seconds)
    }

    /// Whether the container serves although it was told to end: its HEALTHCHECK knows, and if it has none, its sockets
    /// do.
    fileprivate func serves(isListening: Bool) -> Bool {
        guard let health = state.health, let status = health.status, !["", "none"].contains(status) else {
            return isListening
        }
        return status == "healthy" && health.failingStreak ?? 0 == 0
    }

    /// The name without the slash that Docker puts before it.
    var plainName: String { name.hasPrefix("/") ? String(name.dropFirst()) : name }

    /// The ids of the engine's networks that the container is on.
    var networkIDs: Set<String> { Set((networkSettings?.networks ?? [:]).values.compactMap(\.network)) }
}

extension ContainerInspection {
    /// Whether programs in the container wait for clients, at the ports that its labels name if they name some.
    var isListening: Bool {
        let labels = ContainerLabels(config?.labels ?? [:], of: plainName)
        return state.process > 0 && ListeningPorts.isListening(in: state.process, at: labels.ports)
    }
}

extension FoundTask {
    /// A container as a task; nil for one that is to be left alone.
    fileprivate init?(_ container: ContainerInspection, besides unreachable: Set<String>) {
        let name = container.plainName
        guard (try? Container.validate(name: name)) != nil else { return nil }
        let all = container.config?.labels ?? [:]
        let labels = ContainerLabels(all, of: name)
        guard !labels.isExcluded else { return nil }
        let composed = all["com.docker.compose.service"]
        let names = [all["com.docker.swarm.service.name"], composed, name].compactMap(\.self)
        self.init(name, services: labels.service.map { [$0] } ?? names)
        project = all["com.docker.compose.project"]
        projectService = labels.service == nil ? composed : nil
        makesService = labels.service != nil || !labels.ports.isEmpty
        namespace = Container(name: name, process: container.state.process).namespace
        weight = labels.weight
        isHealthy = container.state.health?.isGood ?? true
        ports = labels.ports
        options = labels.options
        faults = labels.faults
        if let networks = labels.networks {
            let others = networks.filter { $0 != MeshNetwork.ingress }
            attachment = Attachment(namespace: namespace!, networks: others.isEmpty ? nil : others)
        } else {
            addresses = container.addresses(on: labels.engineNetwork, besides: unreachable)
        }
        if let wanted = labels.engineNetwork, container.networkSettings?.networks?[wanted] == nil {
            faults.append("container \(name) is not on the engine's network \(wanted), which its label names")
        }
    }
}

extension ContainerInspection {
    /// An address of each family, of the first network by name that this node reaches.
    fileprivate func addresses(on wanted: String?, besides unreachable: Set<String>) -> [IPAddress] {
        let networks = (networkSettings?.networks ?? [:]).sorted { $0.key < $1.key }
            .filter { wanted.map($0.key.elementsEqual) ?? true }
            .map(\.value).filter { !unreachable.contains($0.network ?? "") }
        return [networks.map(\.address4), networks.map(\.address6)].compactMap { texts in
            texts.lazy.compactMap { $0.flatMap { IPAddress($0) } }.first
        }
    }
}
