import IPVSKit
import MeshKit
import RuleKit

/// All metrics of an agent: what its passes did, and what the kernel counts for each published port, for each address of a
/// service on a user network, and for each task of these. Pure: the text follows from its arguments. docs/metrics.md lists
/// the metrics, and a test compares.
enum Metrics {
    /// All metrics.
    ///
    /// - Parameters:
    ///   - observed: what was observed, with counters, and the changes that the kernel needs; nil if it could not be
    ///     observed. The metrics of what it counts are then left out.
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
        metrics += of(view.countedPorts, .port) + of(view.countedNetworks, .network)
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

    // MARK: Ports, networks and tasks

    /// A kind of counted services, which has a metric for each figure of a service and of a task.
    private struct Kind {
        /// What the name of a service's metric begins with, and how a sentence calls the service.
        var service: (prefix: String, noun: String)
        /// The same of a task.
        var task: (prefix: String, noun: String)
        /// The names of a service's labels.
        var labels: [String]
        /// The names of the labels that a task has besides.
        var ofTasks: [String]

        static let port = Self(
            service: ("port", "published port"), task: ("task", "task by the published port"),
            labels: ["service", "port", "transport", "address"], ofTasks: ["task", "target"])
        static let network = Self(
            service: ("network", "service's address on the network"),
            task: ("network_task", "task by the service's address on the network"),
            labels: ["service", "network"], ofTasks: ["task"])
    }

    private static func of(_ services: [CountedService], _ kind: Kind) -> [Metric] {
        ofServices(services, kind.service, kind.labels)
            + ofTasks(services.flatMap(\.tasks), kind.task, kind.labels + kind.ofTasks)
    }

    /// The kernel's counters and rates, which services and tasks have alike.
    private static func ofStatistics<Counted: Sendable>(
        _ name: (prefix: String, noun: String), _ labels: [String], _ counted: [Counted],
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
        return kinds.flatMap { figure, what, unit, counter, rate in
            [
                metric(
                    .init("\(name.prefix)_\(figure)_total", .counter, "\(what) of the \(name.noun).", unit, labels),
                    counter),
                metric(
                    .init(
                        "\(name.prefix)_\(figure)_per_second", .gauge,
                        "\(what) of the \(name.noun) per second, the kernel's average over about eight seconds.",
                        "\(unit) per second", labels), rate),
            ]
        }
    }

    private static func ofServices(
        _ services: [CountedService], _ name: (prefix: String, noun: String), _ labels: [String]
    ) -> [Metric] {
        func gauge(
            _ figure: String, _ help: String, _ value: @escaping @Sendable (CountedService) -> UInt64
        ) -> Metric {
            Metric(
                definition: .init("\(name.prefix)_\(figure)", .gauge, help, "connections", labels),
                samples: services.map { .init(labels: $0.labels, value: Double(value($0))) })
        }
        return ofStatistics(name, labels, services, labelled: \.labels, \.statistics)
            + [
                gauge("active_connections", "Connections that are being opened or are established.") {
                    $0.tasks.reduce(0) { $0 + UInt64($1.status.activeConnections) }
                },
                gauge("inactive_connections", "All other connections that the kernel remembers.") {
                    $0.tasks.reduce(0) { $0 + UInt64($1.status.inactiveConnections) }
                },
            ]
    }

    private static func ofTasks(
        _ tasks: [CountedTask], _ name: (prefix: String, noun: String), _ labels: [String]
    ) -> [Metric] {
        func gauge(
            _ figure: String, _ help: String, _ unit: String, _ value: @escaping @Sendable (CountedTask) -> UInt32
        ) -> Metric {
            Metric(
                definition: .init("\(name.prefix)_\(figure)", .gauge, help, unit, labels),
                samples: tasks.map { .init(labels: $0.labels, value: Double(value($0))) })
        }
        return ofStatistics(name, labels, tasks, labelled: \.labels, \.status.statistics)
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
