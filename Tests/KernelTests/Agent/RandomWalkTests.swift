import FakeKernel
import IPVSKit
import MeshKit
import Netlink
import RuleKit
import SystemPackage
import TestSupport
import Testing

#if canImport(Glibc)
    import Glibc
#endif

extension KernelTests {
    /// A spec that changes at random, and an agent that follows it: after each change, new connections go to the tasks that
    /// the spec says, and to nobody else.
    @Suite struct RandomWalkTests {
        private static let ports: [UInt16] = [1080, 1081, 1082]

        /// At full length 2,000 edits, half of them with each tool.
        @Test(arguments: RuleTool.tested) func connectionsFollowTheSpec(tool: RuleTool) async throws {
            let seed = getenv("MESHCTL_SEED").flatMap { UInt64(String(cString: $0)) } ?? 14
            try await MeshHost.with(tasks: 4, rules: tool) { host in
                let servers = try await host.serve(80, [.tcp])
                defer { servers.stop() }
                let agent = try await RunningAgent(
                    in: host.node, named: "agent", files: host.topology.directory,
                    [
                        "MESHCTL_STATE_DIR": host.stateDirectory.string, "MESHCTL_RULES": tool.rawValue,
                        "MESHCTL_NODE": "node",
                    ], options: "--no-containers")
                defer { agent.signal(SIGKILL) }
                let store = FileSpecStore(directory: host.stateDirectory)
                var random = SeededGenerator(seed: seed)
                var (done, refused) = (0, 0)
                for number in 0..<soaked(1000) {
                    let edit = Edit.random(host, using: &random)
                    var spec = try await store.load()
                    do {
                        try edit.act(&spec)
                        done += 1
                    } catch is InputError {
                        refused += 1
                        continue
                    }
                    let wanted = spec
                    try await store.update { $0 = wanted }
                    try await Self.expect(wanted, host, "seed \(seed), edit \(number): \(edit.name)")
                    if number % 25 == 24 {
                        // The agent may not have come to the edit yet, of which not every scheduler shows something.
                        try await eventually { try await host.meshctl(["plan"]).status == 0 }
                    }
                }
                print("\(tool), seed \(seed): \(done) edits, \(refused) refused")
                #expect(done > soaked(1000) / 2)
                try await agent.stop()
            }
        }

        /// Waits until each port answers as the spec says, for ten seconds.
        private static func expect(_ spec: MeshSpec, _ host: MeshHost, _ what: String) async throws {
            for port in ports {
                for (near, far) in host.places {
                    let published = spec.publisher(of: PortBinding(port, .tcp))
                    let tasks = published.flatMap { spec.services[$0.name] }?.tasks ?? []
                    let serving = Set(
                        host.tasks.filter { task in
                            tasks.contains {
                                $0.share > 0 && [task.link.far4, task.link.far6].contains($0.address)
                                    && $0.address.family == near.family
                            }
                        }.map(\.name))
                    // Hashing sends one client to one task, and weights make some rare.
                    let isEven = published.flatMap { spec.services[$0.name]?.scheduler } == .roundRobin
                    let end = ContinuousClock.now + .seconds(10)
                    var (seen, isRight) = (Set<String>(), false)
                    repeat {
                        seen = Set(
                            try await host.client.thread {
                                (0..<max(2, serving.count)).map { _ in
                                    String(Request.steady(near, port: port).answer().prefix { $0 != " " })
                                }
                            })
                        isRight =
                            serving.isEmpty
                            ? seen == ["Connection"] : isEven ? seen == serving : seen.isSubset(of: serving)
                    } while !isRight && ContinuousClock.now < end
                    #expect(isRight, "\(what): \(near) port \(port): \(seen) instead of \(serving), \(far)")
                }
            }
        }

        /// A change of a spec.
        private struct Edit {
            var name: String
            var act: (inout MeshSpec) throws -> Void

            static func random(_ host: MeshHost, using random: inout SeededGenerator) -> Self {
                let service = ["a", "b"].randomElement(using: &random)!
                let port = PortBinding(ports.randomElement(using: &random)!, .tcp)
                let link = host.tasks.randomElement(using: &random)!.link
                let address = [link.far4, link.far6].randomElement(using: &random)!
                let weight = [0, 1, 1, 3].randomElement(using: &random)! as UInt32
                let scheduler =
                    [.roundRobin, .weightedRoundRobin, .weightedLeastConnection, .maglevHashing]
                    .randomElement(using: &random)! as Scheduler
                switch Int.random(in: 0..<12, using: &random) {
                case 0..<4:
                    return Self(name: "add \(address) to \(service), weight \(weight)") {
                        try $0.addTask(SpecTask(address: address, weight: weight, node: "node"), service: service)
                    }
                case 4, 5:
                    return Self(name: "remove \(address) from \(service)") {
                        try $0.removeTask(address, service: service)
                    }
                case 6:
                    return Self(name: "drain \(address) of \(service)") {
                        try $0.drain(.address(address), service: service)
                    }
                case 7:
                    return Self(name: "undrain \(address) of \(service)") {
                        try $0.undrain(.address(address), service: service)
                    }
                case 8, 9:
                    return Self(name: "publish \(port) of \(service), \(scheduler)") {
                        try $0.publish(
                            port, target: 80, service: service, options: PublishOptions(scheduler: scheduler))
                    }
                case 10: return Self(name: "unpublish \(port)") { try $0.unpublish(port) }
                default:
                    return Self(name: "\(service) has \(scheduler)") {
                        try $0.setOptions(PublishOptions(scheduler: scheduler), ofService: service)
                    }
                }
            }
        }
    }
}
