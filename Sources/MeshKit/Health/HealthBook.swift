package import IPVSKit
import RuleKit

/// What the probes of tasks have shown, and which are due. A value without effects.
struct HealthBook {
    /// A task of a service.
    struct Key: Hashable, Comparable {
        var service: String
        var task: IPAddress

        static func < (lhs: Self, rhs: Self) -> Bool { (lhs.service, lhs.task) < (rhs.service, rhs.task) }
    }

    /// A change of what is thought of a task.
    struct Change: Equatable {
        var key: Key
        /// What it is thought of now; unknown if it cannot be probed.
        var verdict: HealthAnswer
    }

    private struct Entry {
        var probe: HealthProbe
        var check: HealthCheck
        /// Nil for a task that nobody has looked at yet.
        var isHealthy: Bool?
        /// How many answers in a row were contrary to that.
        var contrary: UInt32 = 0
        /// How often in a row nobody could look.
        var unknown: UInt32 = 0
        var due: ContinuousClock.Instant
        var isUnderWay = false
    }

    private var entries: [Key: Entry] = [:]
    /// The services of the last spec, those without a check included.
    private var services: [String: MeshSpec.Service] = [:]
    private var hasBegun = false

    /// Takes the tasks that are to be probed: those of services with a check. A task that a source has found after the
    /// first call counts as not healthy until it has answered, so that nobody is sent to one which does not serve yet. One
    /// of the operator's counts as healthy, since the operator has said that it serves, and so does one that served before
    /// there was a check.
    ///
    /// - Parameter unhealthy: the tasks that were not healthy when somebody looked last, for the first call.
    mutating func take(_ spec: MeshSpec, unhealthy: [String: Set<IPAddress>], at now: ContinuousClock.Instant) {
        var next: [Key: Entry] = [:]
        let former = services
        services = spec.services
        for (name, service) in spec.services {
            guard let check = service.healthCheck else { continue }
            let known = Set(former[name]?.tasks.map(\.address) ?? [])
            for task in service.tasks {
                guard let probe = service.probe(of: task, by: check, in: name) else { continue }
                let key = Key(service: name, task: task.address)
                if var entry = entries[key] {
                    if entry.check != check || entry.probe != probe { entry.due = now }
                    entry.check = check
                    entry.probe = probe
                    next[key] = entry
                } else {
                    let isKnown: Bool? =
                        if hasBegun { task.origin == nil || known.contains(task.address) ? true : nil } else {
                            !(unhealthy[name]?.contains(task.address) ?? false)
                        }
                    next[key] = Entry(probe: probe, check: check, isHealthy: isKnown, due: now)
                }
            }
        }
        entries = next
        hasBegun = true
    }

    /// When the next probe is due; nil if none is.
    var due: ContinuousClock.Instant? { entries.values.lazy.filter { !$0.isUnderWay }.map(\.due).min() }

    /// Begins the probes that are due.
    mutating func begin(at now: ContinuousClock.Instant) -> [HealthProbe] {
        var probes: [HealthProbe] = []
        for (key, entry) in entries where entry.due <= now && !entry.isUnderWay {
            entries[key]!.isUnderWay = true
            entries[key]!.due = now + .seconds(Int(entry.check.interval))
            probes.append(entry.probe)
        }
        return probes
    }

    /// Takes an answer. A task of which nobody knew is judged by the first.
    ///
    /// - Returns: the change, if there is one.
    mutating func take(_ answer: HealthAnswer, to probe: HealthProbe) -> Change? {
        let key = Key(service: probe.service, task: probe.task)
        guard var entry = entries[key], entry.isUnderWay else { return nil }
        defer { entries[key] = entry }
        entry.isUnderWay = false
        // A check that was changed meanwhile is made anew.
        guard entry.probe == probe else { return nil }
        if case .unknown = answer {
            entry.unknown += 1
            // A node that cannot look at its tasks is no reason to do without a new one.
            if entry.isHealthy == nil, entry.unknown >= entry.check.fall { entry.isHealthy = true }
            return entry.unknown == 1 ? Change(key: key, verdict: answer) : nil
        }
        entry.unknown = 0
        let isGood = answer == .good
        guard let before = entry.isHealthy else {
            entry.isHealthy = isGood
            return Change(key: key, verdict: answer)
        }
        guard isGood != before else {
            entry.contrary = 0
            return nil
        }
        entry.contrary += 1
        guard entry.contrary >= (isGood ? entry.check.rise : entry.check.fall) else { return nil }
        entry.contrary = 0
        entry.isHealthy = isGood
        return Change(key: key, verdict: answer)
    }

    /// The tasks that get no new connections, by service.
    var unhealthy: [String: Set<IPAddress>] {
        var result: [String: Set<IPAddress>] = [:]
        for (key, entry) in entries where entry.isHealthy != true { result[key.service, default: []].insert(key.task) }
        return result
    }
}

extension MeshSpec.Service {
    /// The probe of a task; nil if nothing says which port to probe, or the balancer does not reach the task.
    func probe(of task: SpecTask, by check: HealthCheck, in name: String) -> HealthProbe? {
        let transport: TransportProtocol = check.method == .udp ? .udp : .tcp
        guard let port = check.port ?? ports.first(where: { $0.listening.transport == transport })?.target,
            let address = task.addresses(by: balancing).first
        else { return nil }
        return HealthProbe(
            service: name, task: task.address, address: address, port: port, method: check.method,
            timeout: .seconds(Int(check.timeout)), place: balancing.place)
    }
}

extension MeshSpec {
    /// The tasks that are to be probed and are in no other spec, by service.
    func unprobedTasks(besides other: MeshSpec) -> [String: Set<IPAddress>] {
        var result: [String: Set<IPAddress>] = [:]
        for (name, service) in services {
            guard let check = service.healthCheck else { continue }
            let known = Set(other.services[name]?.tasks.map(\.address) ?? [])
            let new = service.tasks.filter {
                !known.contains($0.address) && service.probe(of: $0, by: check, in: name) != nil
            }
            if !new.isEmpty { result[name] = Set(new.map(\.address)) }
        }
        return result
    }

    /// The spec in which the tasks of services with a health check are unhealthy that this node has found so.
    package func judging(_ unhealthy: [String: Set<IPAddress>]) -> MeshSpec {
        guard !unhealthy.isEmpty else { return self }
        var spec = self
        for (name, addresses) in unhealthy {
            guard var service = spec.services[name], service.healthCheck != nil else { continue }
            for index in service.tasks.indices where addresses.contains(service.tasks[index].address) {
                service.tasks[index].isUnhealthy = true
            }
            spec.services[name] = service
        }
        return spec
    }
}
