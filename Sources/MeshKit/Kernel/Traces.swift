package import RuleKit

/// What the mesh has left in one network namespace, as far as the kernel itself says whose it is: interfaces by their
/// group or alias, routing rules by their protocol number, and rules by the owner that they name.
package struct Trace: Hashable, Sendable {
    /// How the namespace is found.
    package enum Location: Hashable, Sendable {
        /// The namespace of the process.
        case node
        /// By a name below `/run/netns`.
        case name(String)
        /// By a file, such as `/proc/PID/ns/net`.
        case file(String)
    }

    package var location: Location
    /// The names of the mesh's interfaces.
    package var links: Set<String> = []
    /// The owners that the rules name, by the tool that carries them.
    package var owners: [RuleTool: RuleOwner] = [:]

    package init(_ location: Location) { self.location = location }
}

/// What the mesh has left in all network namespaces of the kernel.
package struct Traces: Sendable {
    package var found: [Trace] = []
    /// The names of namespaces that have no interface but those that the kernel makes with them, which nothing in them
    /// tells whose they are.
    package var bare: [String] = []
    /// The namespaces that could not be looked at, with the reasons.
    package var unreadable: [String] = []

    package init() {}
}
