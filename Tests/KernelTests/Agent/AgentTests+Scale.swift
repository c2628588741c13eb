import Foundation
import MeshKit
import SystemPackage
import TestSupport
import Testing

extension KernelTests.AgentTests {
    /// Thousands of services with five tasks each: one task more costs as many changes as among ten services, passes with
    /// nothing to do write nothing, and the agent's memory stays small, however many passes it makes and however often it
    /// is asked for its metrics.
    @Test(arguments: RuleTool.tested) func theAgentStaysSmall(tool: RuleTool) async throws {
        try await MeshHost.with(tasks: 0, rules: tool) { host in
            try await host.node.ip(["link add br0 type bridge", "addr add 10.200.0.1/16 dev br0", "link set br0 up"])
            try await host.apply(ManyServices.file(0..<10))
            let amongFew = try await host.apply(ManyServices.file(0..<1, task: 6))
            // A pass among 200 services takes a quarter of a second in user-mode Linux, so a tenth of the passes has 20.
            try await host.apply(ManyServices.file(10..<soaked(soaked(2000))))
            let amongMany = try await host.apply(ManyServices.file(1..<2, task: 6))
            #expect(amongFew > 0 && amongMany == amongFew)

            let agent = try await RunningAgent(
                in: host.node, named: "agent", files: host.topology.directory, host.environment)
            defer { agent.signal(SIGKILL) }
            let socket = host.stateDirectory.appending("agent.sock").string
            func memory(after passes: Int) async throws -> Int {
                try await Shell.check(["python3", "-c", ManyServices.passes, socket, "\(passes)"])
                for _ in 0..<5 {
                    try await Shell.check(
                        "curl", "-sSf", "--unix-socket", socket, "-o", "/dev/null", "http://localhost/metrics")
                    try await Task.sleep(for: .milliseconds(1100))
                }
                let status = try FilePath("/proc/\(agent.process)/status").text()
                let line = try #require(status.split(separator: "\n").first { $0.hasPrefix("VmRSS:") })
                return try #require(line.split(separator: " ").compactMap { Int($0) }.first) >> 10
            }
            let first = try await memory(after: soaked(1000))
            let last = try await memory(after: soaked(9000))
            print(
                "\(tool): the agent occupies \(first) MB after \(soaked(1000)) passes, \(last) MB after \(soaked(10000))"
            )
            #expect(last < 100 && last <= first + 4)
            try await agent.stop()
        }
    }
}

/// Services with a published port and five tasks each.
private enum ManyServices {
    /// - Parameter task: the number of a task, to describe it alone, without the ports.
    static func file(_ numbers: Range<Int>, task: Int? = nil) throws -> String {
        let services = Dictionary(
            uniqueKeysWithValues: numbers.map { number in
                let tasks = (task.map { $0...$0 } ?? 1...5).map { task in
                    let last = 10 * number + task
                    return ["address": "10.200.\(last >> 8).\(last & 255)"]
                }
                let ports = task == nil ? [["publish": "\(2000 + number):80"]] : []
                return ("s\(number)", ["ports": ports, "tasks": tasks])
            })
        let data = try JSONSerialization.data(withJSONObject: ["services": services])
        return String(decoding: data, as: UTF8.self)
    }

    /// Has the agent at a socket make so many passes that change nothing.
    static let passes = """
        import http.client, json, socket, sys

        class Agent(http.client.HTTPConnection):
            def connect(self):
                self.sock = socket.socket(socket.AF_UNIX)
                self.sock.connect(sys.argv[1])

        agent = Agent("localhost")
        for _ in range(int(sys.argv[2])):
            agent.request("POST", "/v1/reconcile")
            answer = agent.getresponse()
            body = answer.read()
            if answer.status != 200 or json.loads(body)["changes"]:
                sys.exit(f"{answer.status} {body}")

        """
}

extension MeshHost {
    fileprivate var environment: [String: String] {
        ["MESHCTL_STATE_DIR": stateDirectory.string, "MESHCTL_RULES": tool.rawValue]
    }

    /// Applies a file, and gives the number of changes that it made to the kernel.
    @discardableResult
    fileprivate func apply(_ file: String) async throws -> Int {
        let path = topology.directory.appending("many.json")
        try file.write(toFile: path.string, atomically: true, encoding: .utf8)
        let output = try await meshctl("apply", "-f", path.string)
        let count = try #require(output.firstMatch(of: /(\d+) changes? made to this kernel/)?.1)
        return try #require(Int(count))
    }
}
