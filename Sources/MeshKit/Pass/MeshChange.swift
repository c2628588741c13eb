public import IPVSKit
public import RuleKit

/// What a change came to.
public struct MeshChange: Sendable {
    /// What is asked for now.
    public var spec: MeshSpec
    /// What is this node's now.
    public var ledger: Ledger
    /// What was done to the kernel.
    public var plan: Plan
    /// Whether anything is otherwise than before: in the spec, in the ledger or in the kernel.
    public var didChange = false
    /// What the kernel holds now.
    var datapath: Datapath
    /// What of ours had to stay in the kernel, because somebody else uses it.
    public var remnants: [RuleRemnant] = []
    /// The optional places that this host just turned out not to carry, and why.
    public var refusals: [PlaceID: String] = [:]

    init(spec: MeshSpec, ledger: Ledger, plan: Plan, datapath: Datapath) {
        self.spec = spec
        self.ledger = ledger
        self.plan = plan
        self.datapath = datapath
    }
}

/// What is asked for and what there is, for whoever edits the one knowing the other.
public struct MeshView: Sendable {
    /// What was asked for so far.
    public var spec: MeshSpec
    /// What is this node's.
    public var ledger: Ledger
    /// What the kernel holds.
    public var observed: ObservedDatapath

    /// The marks that a new port must not get: services of somebody else's have them, or those of ports that are on
    /// their way out.
    public var takenMarks: Set<FirewallMark> { observed.marks.union(ledger[.node].marks.keys) }

    /// The addresses of tasks behind this node.
    public var localAddresses: Set<IPAddress> { spec.localAddresses(on: ledger.node) }
}

/// A change failed, and so did taking it back: the next pass will try again.
public struct UndoError: Error, CustomStringConvertible {
    /// Why the change failed.
    public var reason: any Error
    /// Why taking it back failed.
    public var second: any Error

    /// Both reasons, and what to do.
    public var description: String {
        "\(reason); and taking the change back failed: \(second); run `meshctl reconcile` once the cause is gone"
    }
}
