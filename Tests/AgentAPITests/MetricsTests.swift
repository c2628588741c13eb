import FakeKernel
import IPVSKit
import MeshKit
import RuleKit
import Testing

@testable import AgentAPI

/// The metrics as text.
@Suite struct MetricsTests {
    private let begin = ContinuousClock.now

    /// A node with two ports of a service, one task of which drains.
    private func observed() async throws -> (view: MeshView, plan: Plan) {
        let node = FakeNode()
        _ = try await node.mesh().change { spec, _ in
            try spec.addTask(SpecTask(address: "10.0.0.11", weight: 3), service: "nginx")
            try spec.addTask(SpecTask(address: "10.0.0.12"), service: "nginx")
            try spec.addTask(SpecTask(address: "fd00::11"), service: "nginx")
            try spec.publish(PortBinding(1080, .tcp), target: 80, service: "nginx")
            try spec.publish(PortBinding(2000...2010, .tcp, at: "192.168.5.1"), target: 2000, service: "nginx")
            try spec.drain(.address("10.0.0.12"), service: "nginx")
        }
        var (view, plan) = try await node.mesh().observe()
        var services = view.observed[.node].services
        for index in services.indices {
            services[index].statistics.connections = 5
            services[index].statistics.incomingByteRate = 7
            for task in services[index].destinations.indices {
                services[index].destinations[task].activeConnections = 2
                services[index].destinations[task].inactiveConnections = 1
                services[index].destinations[task].statistics.outgoingBytes = 1 << 40
            }
        }
        view.observed[.node].services = services
        return (view, plan)
    }

    private func record() -> AgentRecord {
        var record = AgentRecord(at: begin)
        record.add(
            PassRecord(
                cause: "start", isRepair: false, duration: .milliseconds(250), steps: 4, end: begin + .seconds(1)))
        record.add(
            PassRecord(cause: "kernel", isRepair: true, duration: .milliseconds(20), steps: 1, end: begin + .seconds(2))
        )
        record.add(
            PassRecord(
                cause: "period", isRepair: true, duration: .milliseconds(30), error: "broken", end: begin + .seconds(4))
        )
        return record
    }

    @Test func passesAndWhatTheyDid() {
        let text = Metrics.all(of: nil, record(), at: begin + .milliseconds(4500)).prometheusText
        for lines in [
            """
            # HELP meshctl_passes_total Passes that have ended, by what made them due and how they ended.
            # TYPE meshctl_passes_total counter
            meshctl_passes_total{cause="kernel",outcome="good"} 1
            meshctl_passes_total{cause="period",outcome="failed"} 1
            meshctl_passes_total{cause="start",outcome="good"} 1
            """,
            """
            meshctl_pass_duration_seconds_bucket{le="0.01"} 0
            meshctl_pass_duration_seconds_bucket{le="0.025"} 1
            meshctl_pass_duration_seconds_bucket{le="0.05"} 2
            meshctl_pass_duration_seconds_bucket{le="0.1"} 2
            meshctl_pass_duration_seconds_bucket{le="0.25"} 3
            """,
            """
            meshctl_pass_duration_seconds_bucket{le="+Inf"} 3
            meshctl_pass_duration_seconds_sum 0.3
            meshctl_pass_duration_seconds_count 3
            """,
            "meshctl_pass_steps_total 5", "meshctl_drift_repaired_steps_total 1",
            "# TYPE meshctl_last_good_pass_age_seconds gauge\nmeshctl_last_good_pass_age_seconds 2.5",
            "meshctl_healthy 1", "meshctl_ready 0", "meshctl_observed 0",
        ] { #expect(text.contains(lines + "\n"), "\(lines) in \(text)") }
        #expect(!text.contains("meshctl_port"))
    }

    /// Both families of a port are added up; a task that drains says so.
    @Test func portsAndTasks() async throws {
        let text = Metrics.all(of: try await observed(), record(), at: begin + .seconds(5)).prometheusText
        let port = #"service="nginx",port="1080",transport="tcp""#
        let range = #"service="nginx",port="2000-2010",transport="tcp",address="192.168.5.1""#
        for line in [
            "meshctl_port_connections_total{\(port)} 10", "meshctl_port_connections_total{\(range)} 5",
            "meshctl_port_incoming_bytes_per_second{\(port)} 14", "meshctl_port_active_connections{\(port)} 6",
            "meshctl_port_inactive_connections{\(port)} 3",
            #"meshctl_task_outgoing_bytes_total{\#(port),task="10.0.0.11",target="80"} 1099511627776"#,
            #"meshctl_task_active_connections{\#(range),task="10.0.0.11",target="0"} 2"#,
            #"meshctl_task_weight{\#(port),task="10.0.0.11",target="80"} 3"#,
            #"meshctl_task_weight{\#(port),task="10.0.0.12",target="80"} 0"#,
            #"meshctl_task_draining{\#(port),task="10.0.0.11",target="80"} 0"#,
            #"meshctl_task_draining{\#(port),task="10.0.0.12",target="80"} 1"#,
            #"meshctl_task_weight{\#(port),task="fd00::11",target="80"} 1"#,
            "meshctl_observed 1", "meshctl_drift_steps 0",
        ] { #expect(text.contains("\n\(line)\n"), "\(line) in \(text)") }
    }

    /// A node with a service of two tasks on a user network, one of which drains.
    private func observedNetwork() async throws -> (view: MeshView, plan: Plan) {
        let node = FakeNode()
        node.kernel.withState { state in
            state.addTask("/run/netns/t1", inode: 7)
            state.addTask("/run/netns/t2", inode: 8)
        }
        let mesh = node.mesh(named: "a")
        _ = try await mesh.addNode("a", address: "192.168.5.1")
        _ = try await mesh.createNetwork("back", subnets: ["10.0.1.0/24", "fd00:1::/64"])
        _ = try await mesh.attach("/run/netns/t1", service: "db", weight: 3)
        _ = try await mesh.attach("/run/netns/t2", service: "db")
        _ = try await mesh.connect(["db"], to: "back")
        _ = try await mesh.drain(.namespace("/run/netns/t2", node: nil), service: "db")
        var (view, plan) = try await mesh.observe()
        let place = PlaceID.balancer("back")
        for index in view.observed[place].services.indices {
            view.observed[place].services[index].statistics.connections = 5
            for task in view.observed[place].services[index].destinations.indices {
                view.observed[place].services[index].destinations[task].activeConnections = 2
                view.observed[place].services[index].destinations[task].statistics.incomingBytes = 100
            }
        }
        return (view, plan)
    }

    /// What tasks open to the address of a service on a user network is counted by network, both families together.
    @Test func addressesOnNetworks() async throws {
        let observed = try await observedNetwork()
        let text = Metrics.all(of: observed, record(), at: begin + .seconds(5)).prometheusText
        let tasks = observed.view.spec.services["db"]!.tasks
        let whole = try #require(tasks.first { !$0.isDraining }?.attachment?.addresses["back"])
        let draining = try #require(tasks.first(where: \.isDraining)?.attachment?.addresses["back"])
        #expect(whole.count == 2 && draining.count == 2)
        let network = #"service="db",network="back""#
        var lines = [
            "meshctl_network_connections_total{\(network)} 10", "meshctl_network_active_connections{\(network)} 8",
            "meshctl_network_outgoing_packets_per_second{\(network)} 0",
        ]
        for (addresses, weight, isDraining) in [(whole, 3, 0), (draining, 0, 1)] {
            for address in addresses {
                let task = network + ",task=\"\(address)\""
                lines += [
                    "meshctl_network_task_incoming_bytes_total{\(task)} 100",
                    "meshctl_network_task_active_connections{\(task)} 2",
                    "meshctl_network_task_weight{\(task)} \(weight)",
                    "meshctl_network_task_draining{\(task)} \(isDraining)",
                    "meshctl_network_task_healthy{\(task)} 1",
                ]
            }
        }
        for line in lines { #expect(text.contains("\n\(line)\n"), "\(line) in \(text)") }
        #expect(!text.contains("meshctl_port_connections_total{"), "nothing is published")
    }

    /// Each metric is defined once, and each of its samples has other labels than the others, of those that are defined.
    @Test func noSampleIsThereTwice() async throws {
        var both = try await observed()
        let network = try await observedNetwork().view
        both.view.observed.places.merge(network.observed.places) { ports, _ in ports }
        both.view.spec.services.merge(network.spec.services) { ports, _ in ports }
        both.view.spec.networks = network.spec.networks
        let metrics = Metrics.all(of: both, record(), at: begin + .seconds(5))
        for name in ["meshctl_task_weight", "meshctl_network_task_weight"] {
            #expect(metrics.contains { $0.definition.name == name && !$0.samples.isEmpty }, "\(name)")
        }
        #expect(Set(metrics.map(\.definition.name)).count == metrics.count)
        for metric in metrics {
            #expect(metric.definition.kind != .counter || metric.definition.name.hasSuffix("_total"))
            let keys = metric.samples.map {
                $0.suffix + $0.labels.text
            }
            #expect(Set(keys).count == keys.count, "\(metric)")
            for sample in metric.samples {
                #expect(sample.labels.names.allSatisfy(metric.definition.labels.contains), "\(metric)")
            }
        }
    }

    @Test func labelsAndHelpAreEscaped() {
        let definition = Metric.Definition(
            name: "a", kind: .gauge, help: "one \\ \"two\"\nthree", unit: "", labels: ["b"])
        let metric = Metric(definition: definition, samples: [.init(labels: .init([("b", "x\\y\"z\nü")]), value: 1.5)])
        #expect(
            [metric].prometheusText == """
                # HELP a one \\\\ "two"\\nthree
                # TYPE a gauge
                a{b="x\\\\y\\"z\\nü"} 1.5

                """)
        #expect([Metric(definition: definition, samples: [])].prometheusText == "")
        #expect(0x1p60.prometheusText == "1.152921504606847e+18" && Double(0).prometheusText == "0")
    }

    /// Text that is written in pieces is whole.
    @Test func aLongMetricComesInPieces() {
        let definition = Metric.Definition(name: "a", kind: .gauge, help: "many", unit: "", labels: ["b"])
        let metric = Metric(
            definition: definition, samples: (0..<10_000).map { .init(labels: .init([("b", "\($0)")]), value: 1) })
        let pieces = Array(metric.prometheusText)
        #expect(pieces.count > 2 && pieces.allSatisfy { $0.utf8.count < 64 << 10 && $0.hasSuffix("\n") })
        let lines = pieces.joined().split(separator: "\n").dropFirst(2)
        #expect(lines.elementsEqual((0..<10_000).map { "a{b=\"\($0)\"} 1" }))
    }
}

extension [Metric] {
    /// All text.
    var prometheusText: String { flatMap(\.prometheusText).joined() }
}
