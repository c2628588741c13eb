import IPVSKit
import MeshKit
import RuleKit
import SystemPackage

/// Makes a given number of changes to a mesh, one after the other: `ChurnProbe STATE-DIR TOOL COUNT`. One process makes
/// all of them, because starting meshctl for each would take longer than the changes.
@main
struct ChurnProbe {
    static func main() async throws {
        let arguments = CommandLine.arguments
        guard arguments.count == 4, let tool = RuleTool(rawValue: arguments[2]), let count = Int(arguments[3]) else {
            throw InputError("ChurnProbe STATE-DIR TOOL COUNT")
        }
        let mesh = try Mesh(store: FileStore(directory: FilePath(arguments[1])), ipvs: try IPVS(), tool: tool)
        for number in 0..<count {
            _ = try await mesh.change { state, _ in try edit(number, &state) }
        }
        let plan = try await mesh.plan()
        print(plan.isEmpty ? "\(count) changes" : "not done: \(plan.steps)")
    }

    /// Makes eight changes in each round, each round with ports of its own, so that all kinds of sets gain and lose
    /// elements. The service `nginx` gains and loses a port beside the one that it has.
    private static func edit(_ number: Int, _ state: inout MeshState) throws(InputError) {
        let round = UInt16(number / 8 % 500)
        let single = PortBinding(2000 + round, .tcp)
        let range = PortBinding(20000 + 10 * round...20009 + 10 * round, .udp)
        let neighbour = PortBinding(3000 + round, .tcp)
        switch number % 8 {
        case 0: try state.publish(single, target: 80, service: "other")
        case 1: try state.addTask(MeshTask(address: "10.11.0.2", isLocal: true), service: "other")
        case 2: try state.publish(range, target: 53, service: "other")
        case 3:
            try state.publish(
                neighbour, target: 80, service: "nginx",
                options: PublishOptions(stickySeconds: 60, allowed: ["10.0.0.0/8", "fd00::/8"]))
        case 4: try state.addTask(MeshTask(address: "10.12.0.2", weight: 0, isLocal: true), service: "other")
        case 5: try state.unpublish(neighbour)
        case 6: try state.removeTask("10.11.0.2", service: "other")
        default: try state.removeService("other")
        }
    }
}
