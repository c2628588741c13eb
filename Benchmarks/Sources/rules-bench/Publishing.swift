import BenchSupport
import Foundation
import IPVSKit
import MeshKit
import RuleKit
import SystemPackage

/// What `meshctl publish` costs as a whole, but for the start of the program: reading the state and the kernel, the look
/// at the host, writing both; with ten ports there and with thousands.
enum Publishing {
    static func measure(_ tool: String, _ pairs: Int) async throws -> [Result] {
        var nodes: [(name: String, folder: String)] = []
        defer { for node in nodes { _ = try? run("ip", "netns", "del", node.name) } }
        for ports in [5000, 10] {
            let name = "rb-p\(ports)"
            try Namespace.make(name)
            let folder = "/tmp/rules-bench-\(tool)-\(ports)"
            nodes.append((name, folder))
            _ = try verb(name, folder, tool, "\(ports)")
        }
        var results: [(ours: Double, theirs: Double)] = []
        for number in 0...pairs {
            var seconds: [Double] = [0, 0]
            for index in number.isMultiple(of: 2) ? [0, 1] : [1, 0] {
                let answer = try verb(nodes[index].name, nodes[index].folder, tool, "one")
                guard let time = Double(answer.trimmingCharacters(in: .newlines)) else {
                    throw BenchError("publish answered \(answer)")
                }
                seconds[index] = time
            }
            if number > 0 { results.append((seconds[0], seconds[1])) }
        }
        return [Result("publish/5000", peer: "10-ports", rules: tool, pairs: results)]
    }

    private static func verb(_ name: String, _ folder: String, _ tool: String, _ what: String) throws -> String {
        try run("ip", "netns", "exec", name, Way.program, "publish", folder, tool, what)
    }

    /// In the namespace: `publish FOLDER TOOL N` publishes so many ports in one pass, `publish FOLDER TOOL one` one more,
    /// tells how long that took, and takes it back.
    static func perform(_ arguments: [String]) async throws {
        guard arguments.count == 3, let tool = RuleTool(rawValue: arguments[1]) else {
            throw BenchError("publish FOLDER TOOL N|one")
        }
        let folder = FilePath(arguments[0])
        let mesh = try Mesh(
            store: FileSpecStore(directory: folder), ledger: LedgerFile(directory: folder), ipvs: try IPVS(), tool: tool
        )
        if let count = Int(arguments[2]) {
            _ = try await mesh.reset()
            _ = try await mesh.change { spec, _ in
                for address in ["10.0.0.2", "10.0.0.3"] as [IPAddress] {
                    try spec.addTask(SpecTask(address: address), service: "web")
                }
                for index in 0..<count {
                    try spec.publish(PortBinding(UInt16(1080 + index), .tcp), target: 80, service: "web")
                }
            }
            return
        }
        let port = PortBinding(60000, .tcp)
        let clock = ContinuousClock()
        let duration = try await clock.measure { _ = try await mesh.publish([(port, 80)], service: "web") }
        _ = try await mesh.change { spec, _ in try spec.unpublish(port) }
        print(duration.seconds)
    }
}
