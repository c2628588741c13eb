import IPVSKit
import MeshKit

/// What was asked for, as it is saved, and which node this is: for commands that do not look at the kernel.
struct SavedMesh {
    var spec: MeshSpec
    /// The name of this node.
    var node: String

    init(spec: MeshSpec, node: String) {
        self.spec = spec
        self.node = node
    }

    init(_ view: MeshView) { self.init(spec: view.spec, node: view.ledger.node) }

    init(_ change: MeshChange) { self.init(spec: change.spec, node: change.ledger.node) }

    /// The addresses of tasks behind this node.
    var localAddresses: Set<IPAddress> { spec.localAddresses(on: node) }
}

extension MeshOptions {
    func savedMesh() async throws -> SavedMesh {
        let (spec, node) = (try await store().load(), try ownNode())
        return SavedMesh(spec: spec, node: try ledger().load()?.node ?? node ?? Ledger.hostName())
    }
}
