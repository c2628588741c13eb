package import IPVSKit
import RuleKit

/// Computes what a node's kernel should hold. Pure: no input or output, no clock.
package struct Compiler: Sendable {
    /// The parts, in the order in which they compile: a later part sees what the earlier ones want.
    private let parts: [any DatapathPart]

    /// All parts of a node. A task's links join bridges that an earlier part makes.
    package static let allParts: [any DatapathPart] = [
        HostBalancer(), LoopbackDetour(), Overlay(), IngressBalancer(), NetworkBalancer(), TaskPlaces(), FormerLinks(),
    ]

    /// - Parameter parts: the parts in the order in which they compile.
    package init(_ parts: [any DatapathPart] = Self.allParts) { self.parts = parts }

    /// The places, links and settings that the observer has to read.
    package func outline(_ request: MeshRequest) -> Outline {
        var outline = Outline()
        for part in parts { part.outline(request, into: &outline) }
        return outline
    }

    /// The addresses whose routes the observer has to look up.
    package func lookups(_ request: MeshRequest, on node: NodeFacts) -> Set<IPAddress> {
        parts.reduce(into: []) { $0.formUnion($1.lookups(request, on: node)) }
    }

    /// Computes what the kernel should hold.
    package func compile(_ request: MeshRequest, on node: NodeFacts) -> Datapath {
        var datapath = Datapath()
        for part in parts { part.compile(request, on: node, into: &datapath) }
        for place in datapath.contents.keys {
            datapath.contents[place]!.rules.role = datapath.contents[place]!.rules.role.limited(to: node.families)
        }
        return datapath
    }
}
