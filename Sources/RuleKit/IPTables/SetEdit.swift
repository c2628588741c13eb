/// Changes, sorted by the tool that makes them: lines for libipset, and rules for translated ports.
struct SetEdit: Equatable {
    /// Lines that add elements; each replaces an element with the same key.
    private(set) var additions: [String] = []
    /// Lines that remove elements.
    private(set) var removals: [String] = []
    private(set) var targets = TargetEdit()
    private(set) var role: RuleRoleEdit = .unchanged
    /// Whose the rules are to say they are.
    private(set) var owner: RuleOwner?

    enum RuleRoleEdit: Equatable {
        case unchanged
        case install(RuleRole)
        case uninstall
    }

    /// - Parameter sets: all our sets, by name.
    init(_ changes: [RuleChange], sets: [String: IPSet]) {
        var kept = Kept()
        var removed: [SetElement] = []
        for change in changes {
            switch change {
            case .install(let role, _): self.role = .install(role)
            case .claim(let owner): self.owner = owner
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
                // An addition has already replaced an element with the same key, so the removal must skip that key.
                removals += kept.rest(of: element).flatMap(set.removals)
            } else {
                targets.removed.insert(element)
            }
        }
    }
}

/// The keys of the elements that are added.
private struct Kept {
    private var ports: [SetElement: RangeSet<Int>] = [:]
    private var keys: Set<SetElement> = []

    mutating func insert(_ element: SetElement) {
        guard let range = element.ports else {
            keys.insert(element.keyWithoutPorts)
            return
        }
        ports[element.keyWithoutPorts, default: RangeSet()].formUnion(RangeSet(ports: range))
    }

    /// The part of an element that no addition has replaced.
    func rest(of element: SetElement) -> [SetElement] {
        let key = element.keyWithoutPorts
        guard let range = element.ports else { return keys.contains(key) ? [] : [element] }
        guard let kept = ports[key] else { return [element] }
        return element.with(RangeSet(ports: range).subtracting(kept))
    }
}
