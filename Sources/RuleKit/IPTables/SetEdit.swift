/// What changes ask for, by what carries it out: lines for libipset, and rules of translated ports.
struct SetEdit: Equatable {
    /// Lines that put elements, each in place of what has its key.
    private(set) var additions: [String] = []
    /// Lines that take elements out.
    private(set) var removals: [String] = []
    private(set) var targets = TargetEdit()
    private(set) var role: RuleRoleEdit = .unchanged

    enum RuleRoleEdit: Equatable {
        case unchanged
        case install(RuleRole)
        case uninstall
    }

    /// - Parameter sets: the sets that there are, by name.
    init(_ changes: [RuleChange], sets: [String: IPSet]) {
        var kept = Kept()
        var removed: [SetElement] = []
        for change in changes {
            switch change {
            case .install(let role, _): self.role = .install(role)
            case .uninstall: self.role = .uninstall
            case .put(let element, let replaced):
                removed += replaced
                if let set = sets[element.set] {
                    kept.insert(element)
                    additions += set.additions(element)
                } else {
                    targets.put.insert(element)
                }
            case .remove(let element): removed.append(element)
            }
        }
        for element in removed {
            if let set = sets[element.set] {
                // What was overwritten in place must not go after it.
                removals += kept.rest(of: element).flatMap(set.removals)
            } else {
                targets.removed.insert(element)
            }
        }
    }
}

/// The keys that were put.
private struct Kept {
    private var ports: [SetElement: RangeSet<Int>] = [:]
    private var keys: Set<SetElement> = []

    mutating func insert(_ element: SetElement) {
        guard let range = element.ports else {
            keys.insert(element.keyWithoutPorts)
            return
        }
        ports[element.keyWithoutPorts, default: RangeSet()]
            .insert(contentsOf: Int(range.lowerBound)..<Int(range.upperBound) + 1)
    }

    /// What of an element has not been overwritten.
    func rest(of element: SetElement) -> [SetElement] {
        let key = element.keyWithoutPorts
        guard let range = element.ports else { return keys.contains(key) ? [] : [element] }
        guard let kept = ports[key] else { return [element] }
        return RangeSet(Int(range.lowerBound)..<Int(range.upperBound) + 1).subtracting(kept).ranges
            .map { element.with(ports: UInt16($0.lowerBound)...UInt16($0.upperBound - 1)) }
    }
}
