import IPVSKit
import MeshKit
import SystemPackage
import TestSupport
import Testing

extension KernelTests {
    /// What others break, and what a pass makes of it.
    @Suite struct ReconcileTests {
        /// Some at a time: in a kernel whose every instruction is emulated all of them take a while.
        @Test(arguments: Damage.inParts) func whatIsBrokenIsNamedAndPutBack(part: Damage.Part) async throws {
            let tool = part.tool
            try await MeshHost.with(rules: tool) { host in
                try await host.addTasks()
                try await host.publishSome()
                let healthy = try await host.kernelText().inNoOrder()
                let settings = try await host.settings()
                for damage in part.damages {
                    try await damage.happen(to: host)
                    let plan = try await host.meshctl(["plan"])
                    #expect(plan.status == 2, "after \(damage): \(plan)")
                    #expect(plan.output.contains(damage.name), "after \(damage): \(plan)")
                    // A step, or below it and indented why, each in a line of its own.
                    let lines = plan.output.split(separator: "\n").dropLast()
                    let isOfItsOwn = lines.allSatisfy {
                        ($0.hasPrefix("~ ") || $0.hasPrefix("    ")) && !$0.contains("\\u{")
                    }
                    #expect(isOfItsOwn, "after \(damage): \(plan)")
                    try await host.meshctl("reconcile")
                    let after = try await host.meshctl(["plan"])
                    try #require(after.status == 0, "after \(damage) and reconcile: \(after)")
                    let kernelNow = try await host.kernelText().inNoOrder()
                    try #require(kernelNow == healthy, "after \(damage): \(difference(healthy, kernelNow))")
                }
                let settingsNow = try await host.settings()
                #expect(settingsNow == settings)
            }
        }

        /// Whatever point the process dies at, the next pass ends in the same kernel and leaves nothing over.
        @Test(arguments: RuleTool.tested) func aPassThatIsKilledIsFinishedByTheNext(tool: RuleTool) async throws {
            try await MeshHost.with(rules: tool) { host in
                try await host.addTasks()
                try await host.meshctl("publish", "1080:80", "nginx")
                let published = try await host.kernelText().inNoOrder()
                try await host.meshctl("unpublish", "1080")
                let bare = try await host.kernelText()
                // As long as it takes here: the kernels differ in that.
                let whole = try await ContinuousClock().measure {
                    try await host.meshctl("publish", "1080:80", "nginx")
                }
                let longest = whole / .seconds(1)
                try await host.meshctl("unpublish", "1080")
                var generator = SeededGenerator.announced()
                for round in 0..<6 {
                    let delay = Double.random(in: 0.1 * longest...longest, using: &generator)
                    let edit = round % 2 == 0 ? ["publish", "1080:80", "nginx"] : ["unpublish", "1080"]
                    _ = try await host.node.run(
                        ["timeout", "-s", "KILL", "\(delay)", try BuiltProducts.path("meshctl")] + edit,
                        environment: ["MESHCTL_STATE_DIR": host.stateDirectory.string, "MESHCTL_RULES": tool.rawValue])
                    try await host.meshctl("reconcile")
                    #expect(try await host.meshctl(["plan"]).status == 0)
                    // As it was asked for or as it was before, and nothing between.
                    let isPublished = try host.storeText().contains("\"port\" : 1080")
                    let kernel = try await host.kernelText()
                    if isPublished {
                        let found = kernel.inNoOrder().withoutMarks()
                        #expect(found == published.withoutMarks(), "killed after \(delay) s")
                    } else {
                        #expect(kernel == bare, "killed after \(delay) s")
                    }
                }
            }
        }

        @Test func twentyAtOnceLoseNothing() async throws {
            try await MeshHost.with(tasks: 0) { host in
                try await host.meshctl("publish", "1080:80", "nginx")
                try await withThrowingTaskGroup(of: Ran.self) { group in
                    let addresses = (1...20).map { "10.20.0.\($0)" }
                    let node = host.node
                    let program = try BuiltProducts.path("meshctl")
                    let environment = [
                        "MESHCTL_STATE_DIR": host.stateDirectory.string, "MESHCTL_RULES": host.tool.rawValue,
                    ]
                    for address in addresses {
                        group.addTask {
                            try await node.run([program, "task", "add", "nginx", address], environment: environment)
                        }
                    }
                    for try await ran in group { #expect(ran.status == 0, "\(ran)") }
                }
                let listed = try await host.meshctl("task", "ls", "nginx").split(separator: "\n").count - 1
                #expect(listed == 20)
                let kernel = try await host.node.check("ipvsadm", "-Sn").split(separator: "\n").filter {
                    $0.hasPrefix("-a")
                }
                #expect(kernel.count == 20)
                #expect(try await host.meshctl(["plan"]).status == 0)
            }
        }
    }
}

/// The lines that one has and the other has not.
func difference(_ before: [String], _ after: [String]) -> String {
    after.difference(from: before).map { change in
        switch change {
        case .insert(_, let line, _): "+ \(line)"
        case .remove(_, let line, _): "- \(line)"
        }
    }.joined(separator: "\n")
}

extension [String] {
    /// A port that is published anew may have another mark.
    fileprivate func withoutMarks() -> [String] {
        map { $0.replacing(/-f \d+/, with: "-f M").replacing(/0x[0-9a-f]+/, with: "M") }
    }
}
