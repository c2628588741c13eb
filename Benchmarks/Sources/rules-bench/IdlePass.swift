import BenchSupport
import Foundation
import IPVSKit
import MeshKit
import RuleKit
import SystemPackage

/// What a pass with nothing to do takes besides reading the kernel: among 5,000 ports that the host's balancer serves, and
/// among 1,001 tasks on twenty nodes, of which nineteen are entries of the spec alone.
enum IdlePass {
    static func measure(_ tool: String, _ pairs: Int) async throws -> [Result] {
        var results: [Result] = []
        for mesh in ["5000-ports", "1001-tasks"] {
            let name = "rb-\(mesh)"
            try Namespace.make(name)
            defer { _ = try? run("ip", "netns", "del", name) }
            let output = try run(
                "ip", "netns", "exec", name, Way.program, "idle", "/tmp/rules-bench-\(mesh)-\(tool)", tool, mesh,
                "\(4 * pairs)")
            let passes = output.split(separator: "\n").map { $0.split(separator: " ").compactMap { Double($0) } }
            guard passes.count == 4 * pairs, passes.allSatisfy({ $0.count == 2 }) else {
                throw BenchError("idle answered \(output)")
            }
            results.append(
                Result(
                    "idle-pass/\(mesh)", peer: "reading", rules: tool,
                    pairs: passes.map { (ours: $0[0], theirs: $0[1]) }))
        }
        return results
    }

    /// In the namespace: `idle FOLDER TOOL MESH COUNT` makes the mesh, and says for each of so many passes how many seconds
    /// it took, and how many of these were reading.
    static func perform(_ arguments: [String]) async throws {
        guard arguments.count == 4, let tool = RuleTool(rawValue: arguments[1]), let count = Int(arguments[3]) else {
            throw BenchError("idle FOLDER TOOL 5000-ports|1001-tasks COUNT")
        }
        let folder = FilePath(arguments[0])
        let mesh = try Mesh(
            store: FileSpecStore(directory: folder), ledger: LedgerFile(directory: folder), ipvs: try IPVS(),
            tool: tool, nodeName: "node1")
        let hasTasks = arguments[2] == "1001-tasks"
        _ = try await mesh.change { spec, _ in
            if hasTasks { try attachTasks(to: &spec) } else { try publishPorts(in: &spec) }
        }
        let clock = ContinuousClock()
        for number in 0...count {
            let start = clock.now
            let change = try await mesh.reconcile()
            let whole = clock.now - start
            guard !change.didChange else { throw BenchError("a pass that should have nothing to do changed something") }
            // The first pass finds the processor's caches cold.
            if number > 0 { print(whole.seconds, change.readingTime.seconds) }
        }
        _ = try await mesh.reset()
    }

    private static func publishPorts(in spec: inout MeshSpec) throws {
        for address in ["10.0.0.2", "10.0.0.3"] as [IPAddress] {
            try spec.addTask(SpecTask(address: address), service: "web")
        }
        for index in 0..<5000 {
            try spec.publish(PortBinding(UInt16(1080 + index), .tcp), target: 80, service: "web")
        }
    }

    private static func attachTasks(to spec: inout MeshSpec) throws {
        for number in 1...20 {
            try spec.addNode("node\(number)", address: IPAddress(ipv4: 192 << 24 | 2 << 8 | UInt32(number)))
        }
        try spec.ensureIngress(node: "node1")
        for number in 0..<1001 {
            try spec.attach(
                TaskAttachmentRequest(namespace: "/run/netns/task\(number)", node: "node\(2 + number % 19)"),
                service: "web\(number % 10)")
        }
        for number in 0..<10 {
            try spec.publish(PortBinding(UInt16(1080 + number), .tcp), target: 80, service: "web\(number)")
        }
    }
}
