import IPVSKit
import MeshKit

/// What was asked for, as it is saved, and which node this is: for commands that do not look at the kernel.
struct SavedMesh {
    var spec: MeshSpec
    /// The name of this node.
    var node: String
    /// The tasks that start slowly on this node, by service.
    private var starting: [String: Set<IPAddress>]

    init(spec: MeshSpec, node: String, starts: [String: StartRecord] = [:]) {
        self.spec = spec
        self.node = node
        starting = starts.mapValues { Set($0.since.keys) }
    }

    init(_ view: MeshView) { self.init(spec: view.spec, of: view.ledger) }

    init(_ change: MeshChange) { self.init(spec: change.spec, of: change.ledger) }

    /// A task is unhealthy, too, if this node has found it so.
    private init(spec: MeshSpec, of ledger: Ledger) {
        self.init(spec: spec.judging(ledger.unhealthy), node: ledger.node, starts: ledger.starts)
    }

    /// Whether a task starts slowly on this node.
    func isStarting(_ task: SpecTask, of service: String) -> Bool {
        starting[service]?.contains(task.address) ?? false
    }

    /// The addresses of tasks behind this node.
    var localAddresses: Set<IPAddress> { spec.localAddresses(on: node) }
}

extension MeshOptions {
    func savedMesh() async throws -> SavedMesh {
        let (spec, saved) = (try await store().load(), try ledger().load())
        let node = try saved?.node ?? ownNode() ?? Ledger.hostName()
        return SavedMesh(
            spec: spec.judging(saved?.unhealthy ?? [:]), node: node, starts: saved?.starts ?? [:])
    }
}
