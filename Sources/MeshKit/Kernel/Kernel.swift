import Conntrack
import IPVSKit
import RuleKit
import SystemPackage

/// The parts of a node's kernel that the mesh reads and changes: those of the namespace of the process.
struct Kernel: Sendable {
    let ipvs: IPVS
    let sysctls = SysctlFiles()
    let bridges = Bridges()
    let detour = DetourLinks()
    let conntrack: Conntrack
    /// One of each for as long as this lives: what a backend has read it need not read again to write.
    private let backends: [RuleTool: any RuleBackend]
    /// A folder for what the tools find out of themselves.
    private let cache: FilePath

    init(ipvs: IPVS, cache: FilePath) throws {
        self.ipvs = ipvs
        self.cache = cache
        backends = Dictionary(uniqueKeysWithValues: RuleTool.allCases.map { ($0, $0.backend(cache: cache)) })
        conntrack = try Conntrack()
    }

    /// What carries rules at a place.
    func backend(_ place: RulePlace) throws -> any RuleBackend {
        switch place.namespace {
        case .balancer: backends[place.tool]!
        case .detour: place.tool.backend(in: try detour.namespace(), cache: cache)
        }
    }
}
