import IPVSKit
import MeshKit
import RuleKit

/// All metrics of an agent: what its passes did, and what the kernel counts for each published port and each task of it.
/// Pure: the text follows from its arguments. docs/metrics.md lists the metrics, and a test compares.
enum Metrics {
    /// All metrics.
    ///
    /// - Parameters:
    ///   - observed: what was observed, with counters, and the changes that the kernel needs; nil if it could not be
    ///     observed. The metrics of ports and tasks are then left out.
    ///   - record: what the passes did.
    ///   - now: the present.
    static func all(
        of observed: (view: MeshView, plan: Plan)?, _ record: AgentRecord, at now: ContinuousClock.Instant
    ) -> [Metric] {
        var metrics = ofPasses(record, at: now)
        metrics.append(
            Metric(
                .init("observed", .gauge, "Whether the kernel could be observed for this answer.", "0 or 1"),
                observed == nil ? 0 : 1))
        guard let (view, plan) = observed else { return metrics }
        metrics.append(
            Metric(
                .init(
                    "drift_steps", .gauge, "The changes that the kernel needs at present to hold what it should.",
                    "changes"), Double(plan.steps.count)))
        let ports = view.countedPorts
        metrics += ofPorts(ports) + ofTasks(ports)
        metrics.append(ofRetiring(plan))
        return metrics
    }

    // MARK: Passes

    private static func ofPasses(_ record: AgentRecord, at now: ContinuousClock.Instant) -> [Metric] {
        let passes = record.passes.sorted {
            ($0.key.cause, $0.key.hasFailed ? 1 : 0) < ($1.key.cause, $1.key.hasFailed ? 1 : 0)
        }
        var sum = 0
        let groups = zip(AgentRecord.durationBounds, record.durations).map { bound, count in
            sum += count
            return Metric.Sample(suffix: "_bucket", labels: .init([("le", bound.prometheusText)]), value: Double(sum))
        }
        let durations =
            groups + [
                .init(suffix: "_bucket", labels: .init([("le", "+Inf")]), value: Double(record.count)),
                .init(suffix: "_sum", value: record.totalDuration / .seconds(1)),
                .init(suffix: "_count", value: Double(record.count)),
            ]
        return [
            Metric(
                definition: .init(
                    "passes_total", .counter, "Passes that have ended, by what made them due and how they ended.",
                    "passes", ["cause", "outcome"]),
                samples: passes.map {
                    .init(
                        labels: .init([
                            ("cause", $0.key.cause), ("outcome", $0.key.hasFailed ? "failed" : "good"),
                        ]),
                        value: Double($0.value))
                }),
            Metric(
                definition: .init("pass_duration_seconds", .histogram, "How long passes took.", "seconds", ["le"]),
                samples: durations),
            Metric(
                .init("pass_steps_total", .counter, "Changes that passes made to the kernel.", "changes"),
                Double(record.steps)),
            Metric(
                .init(
                    "drift_repaired_steps_total", .counter,
                    "Changes that passes made because the kernel did not hold what they had left there.", "changes"),
                Double(record.repairs)),
            Metric(
                definition: .init(
                    "last_good_pass_age_seconds", .gauge, "The time since the last pass ended that did not fail.",
                    "seconds"),
                samples: record.lastGood.map { [.init(value: (now - $0) / .seconds(1))] } ?? []),
            Metric(
                .init("healthy", .gauge, "Whether passes end, as /healthz says.", "0 or 1"),
                record.health(at: now).isGood ? 1 : 0),
            Metric(
                .init("ready", .gauge, "Whether the last pass was good, as /readyz says.", "0 or 1"),
                record.readiness(at: now).isGood ? 1 : 0),
        ]
    }

    // MARK: Ports and tasks

    /// The kernel's counters and rates, which ports and tasks have alike.
    private static func ofStatistics<Counted: Sendable>(
        _ prefix: String, _ owner: String, _ labels: [String], _ counted: [Counted],
        labelled: @escaping @Sendable (Counted) -> Metric.Labels,
        _ statistics: @escaping @Sendable (Counted) -> Statistics
    ) -> [Metric] {
        typealias Figure = any KeyPath<Statistics, UInt64> & Sendable
        let kinds: [(String, String, String, counter: Figure, rate: Figure)] =
            [
                ("connections", "Connections", "connections", \.connections, \.connectionRate),
                ("incoming_packets", "Packets from clients", "packets", \.incomingPackets, \.incomingPacketRate),
                ("outgoing_packets", "Packets to clients", "packets", \.outgoingPackets, \.outgoingPacketRate),
                ("incoming_bytes", "Bytes from clients", "bytes", \.incomingBytes, \.incomingByteRate),
                ("outgoing_bytes", "Bytes to clients", "bytes", \.outgoingBytes, \.outgoingByteRate),
            ]
        func metric(_ definition: Metric.Definition, _ value: Figure) -> Metric {
            Metric(
                definition: definition,
                samples: counted.map {
                    .init(labels: labelled($0), value: Double(statistics($0)[keyPath: value]))
                })
        }
        return kinds.flatMap { name, noun, unit, counter, rate in
            [
                metric(
                    .init("\(prefix)_\(name)_total", .counter, "\(noun) of the \(owner).", unit, labels), counter),
                metric(
                    .init(
                        "\(prefix)_\(name)_per_second", .gauge,
                        "\(noun) of the \(owner) per second, the kernel's average over about eight seconds.",
                        "\(unit) per second", labels), rate),
            ]
        }
    }

    private static func ofPorts(_ ports: [CountedPort]) -> [Metric] {
        func gauge(_ name: String, _ help: String, _ value: @escaping @Sendable (CountedPort) -> UInt64) -> Metric {
            Metric(
                definition: .init("port_\(name)", .gauge, help, "connections", CountedPort.labels),
                samples: ports.map { .init(labels: $0.labels, value: Double(value($0))) })
        }
        return ofStatistics(
            "port", "published port", CountedPort.labels, ports, labelled: \.labels, \.statistics)
            + [
                gauge("active_connections", "Connections that are being opened or are established.") {
                    $0.tasks.reduce(0) { $0 + UInt64($1.status.activeConnections) }
                },
                gauge("inactive_connections", "All other connections that the kernel remembers.") {
                    $0.tasks.reduce(0) { $0 + UInt64($1.status.inactiveConnections) }
                },
            ]
    }

    private static func ofTasks(_ ports: [CountedPort]) -> [Metric] {
        let tasks = ports.flatMap(\.tasks)
        func gauge(
            _ name: String, _ help: String, _ unit: String, _ value: @escaping @Sendable (CountedTask) -> UInt32
        ) -> Metric {
            Metric(
                definition: .init("task_\(name)", .gauge, help, unit, CountedTask.labels),
                samples: tasks.map { .init(labels: $0.labels, value: Double(value($0))) })
        }
        return ofStatistics(
            "task", "task by the published port", CountedTask.labels, tasks, labelled: \.labels, \.status.statistics)
            + [
                gauge("active_connections", "Connections that are being opened or are established.", "connections") {
                    $0.status.activeConnections
                },
                gauge("inactive_connections", "All other connections that the kernel remembers.", "connections") {
                    $0.status.inactiveConnections
                },
                gauge("weight", "The task's share of new connections in the kernel.", "weight") {
                    $0.status.destination.weight
                },
                gauge("draining", "Whether the task drains or has left, and so gets no new connections.", "0 or 1") {
                    $0.isDraining ? 1 : 0
                },
                gauge(
                    "healthy", "Whether neither the task's source nor a health check says that it cannot serve.",
                    "0 or 1"
                ) { $0.isHealthy ? 1 : 0 },
            ]
    }

    private static func ofRetiring(_ plan: Plan) -> Metric {
        let retiring = plan.retiring
        return Metric(
            definition: .init(
                "retiring_connections", .gauge,
                "Connections that are left of paths that take no new ones and stay until they have ended.",
                "connections", ["port", "transport", "address", "place", "task", "target"]),
            samples: samples(of: retiring))
    }

    /// Several paths may differ in nothing that a label says, for example if a port was published anew twice.
    private static func samples(of retiring: [RetiringConnections]) -> [Metric.Sample] {
        var samples: [Metric.Sample] = []
        var indices: [String: Int] = [:]
        for path in retiring {
            guard let count = path.connections else { continue }
            let labels = Metric.Labels(
                path.binding.labels + [
                    ("place", path.place.rawValue), ("task", "\(path.destination.address)"),
                    ("target", "\(path.destination.port)"),
                ])
            if let index = indices[labels.text] {
                samples[index].value += Double(count)
            } else {
                indices[labels.text] = samples.count
                samples.append(.init(labels: labels, value: Double(count)))
            }
        }
        return samples
    }
}

extension Metric {
    /// A metric with one value.
    fileprivate init(_ definition: Definition, _ value: Double) {
        self.init(definition: definition, samples: [.init(value: value)])
    }
}

extension Metric.Definition {
    /// - Parameter name: the name without the prefix that all have.
    fileprivate init(
        _ name: String, _ kind: Metric.Kind, _ help: String, _ unit: String, _ labels: [String] = []
    ) {
        self.init(name: "meshctl_\(name)", kind: kind, help: help, unit: unit, labels: labels)
    }
}
