import IPVSKit
public import RuleKit

/// Which connections of retiring paths end at once, instead of going on until their ends.
public enum ConnectionCut: Hashable, Sendable {
    /// None.
    case none
    /// Those of some published ports.
    case ports(Set<PortBinding>)
    /// Those of all ports that some services have, or had before the edit.
    case services(Set<String>)
    /// Those of all ports of a service to some of its tasks.
    case tasks(TaskSelection, service: String)
    /// All.
    case all
}

extension ConnectionCut {
    /// Those of all ports of a service.
    public static func service(_ name: String) -> Self { .services([name]) }

    /// The paths that a cut ends, as the ports of a spec name them.
    struct Scope {
        /// The marks of the paths; nil for all paths.
        var marks: Set<FirewallMark>?
        /// The addresses of the destinations; nil for all destinations of the paths.
        var addresses: Set<IPAddress>?

        func contains(_ destination: Destination.ID, _ mark: FirewallMark) -> Bool {
            (marks?.contains(mark) ?? true) && (addresses?.contains(destination.address) ?? true)
        }
    }

    /// What the cut ends.
    ///
    /// - Parameter specs: the specs that know the ports, since a port may have left.
    func scope(_ specs: [MeshSpec]) -> Scope {
        func marks(of name: String) -> Set<FirewallMark> {
            Set(specs.flatMap { $0.services[name]?.ports ?? [] }.map(\.mark))
        }
        return switch self {
        case .none: Scope(marks: [])
        case .ports(let bindings):
            Scope(
                marks: Set(
                    specs.flatMap(\.services.values).flatMap(\.ports).filter { bindings.contains($0.listening) }
                        .map(\.mark)))
        case .services(let names): Scope(marks: Set(names.flatMap(marks)))
        case .tasks(let which, let name):
            Scope(
                marks: marks(of: name),
                addresses: Set(
                    specs.flatMap { $0.services[name]?.tasks ?? [] }.filter { $0.isAmong(which) }
                        .flatMap { task in Balancing.allCases.flatMap(task.addresses) }))
        case .all: Scope()
        }
    }
}
