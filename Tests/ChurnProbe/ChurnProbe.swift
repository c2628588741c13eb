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
        let folder = FilePath(arguments[1])
        let mesh = try Mesh(
            store: FileSpecStore(directory: folder), ledger: LedgerFile(directory: folder), ipvs: try IPVS(),
            tool: tool)
        for number in 0..<count {
            _ = try await mesh.change { spec, view in try edit(number, &spec, on: view.ledger.node) }
        }
        let plan = try await mesh.plan()
        print(plan.isEmpty ? "\(count) changes" : "not done: \(plan.steps)")
    }

    /// Rounds of eight, each with ports of its own: all kinds of sets get elements and lose them again. The service
    /// `nginx` gets and loses a port beside the one that it has.
    private static func edit(_ number: Int, _ spec: inout MeshSpec, on node: String) throws(InputError) {
        let round = UInt16(number / 8 % 500)
        let single = PortBinding(2000 + round, .tcp)
        let range = PortBinding(20000 + 10 * round...20009 + 10 * round, .udp)
        let neighbour = PortBinding(3000 + round, .tcp)
        switch number % 8 {
        case 0: try spec.publish(single, target: 80, service: "other")
        case 1: try spec.addTask(SpecTask(address: "10.11.0.2", node: node), service: "other")
        case 2: try spec.publish(range, target: 53, service: "other")
        case 3:
            try spec.publish(
                neighbour, target: 80, service: "nginx",
                options: PublishOptions(stickySeconds: 60, allowed: ["10.0.0.0/8", "fd00::/8"]))
        case 4: try spec.addTask(SpecTask(address: "10.12.0.2", weight: 0, node: node), service: "other")
        case 5: try spec.unpublish(neighbour)
        case 6: try spec.removeTask("10.11.0.2", service: "other")
        default: try spec.removeService("other")
        }
    }
}
