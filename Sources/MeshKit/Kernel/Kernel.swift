import Conntrack
import IPVSKit
import RuleKit

/// The parts of a node's kernel that the mesh reads and changes: those of the namespace of the process.
struct Kernel: Sendable {
    let ipvs: IPVS
    let sysctls = SysctlFiles()
    let links = LinkFlags()
    let detour = DetourLinks()
    let conntrack = Conntrack()

    /// What carries rules at a place.
    func backend(_ place: RulePlace) throws -> any RuleBackend {
        switch place.namespace {
        case .balancer: place.tool.backend()
        case .detour: place.tool.backend(in: try detour.namespace())
        }
    }
}
