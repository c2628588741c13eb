import RuleKit

/// The way to a part of a spec, by names: `services`, `nginx`, `ports`, `1080/tcp`, `mark`.
struct SpecPath: Hashable, Sendable {
    var steps: [String]

    init(_ steps: String...) { self.steps = steps }

    /// The path to a part of this part.
    func callAsFunction(_ steps: String...) -> SpecPath {
        var path = self
        path.steps += steps
        return path
    }

    /// The path to the whole of which this part is one; nil for the whole spec.
    var parent: SpecPath? {
        guard !steps.isEmpty else { return nil }
        var path = self
        path.steps.removeLast()
        return path
    }

    static func node(_ name: String) -> Self { Self("nodes", name) }
    static func network(_ name: String) -> Self { Self("networks", name) }
    static func service(_ name: String) -> Self { Self("services", name) }
    static func port(_ binding: PortBinding, of service: String) -> Self {
        Self("services", service, "ports", binding.description)
    }
    static func task(_ address: String, of service: String) -> Self { Self("services", service, "tasks", address) }
}

/// A fault of a spec as a whole: parts that do not fit together.
struct SpecFault: Hashable, Sendable {
    /// A part that has the fault, and the fault in words from its view.
    struct Site: Hashable, Sendable {
        var path: SpecPath
        var words: String
    }

    /// The parts, of which any one may be changed to remove the fault.
    var sites: [Site]
    /// The parts that these do not fit. A file that has only such a part has made the fault by it.
    var opposites: [Site] = []

    init(_ path: SpecPath, _ words: String, against opposites: Site...) {
        sites = [Site(path: path, words: words)]
        self.opposites = opposites
    }

    init(_ sites: [Site]) { self.sites = sites }
}
