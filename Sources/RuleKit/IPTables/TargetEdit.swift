import IPVSKit

/// Translated ports to add and to remove.
struct TargetEdit: Equatable {
    var put: Set<SetElement> = []
    var removed: Set<SetElement> = []

    var isEmpty: Bool { put.isEmpty && removed.isEmpty }

    /// The lines of an edit. A rule that exists is not added again, and a rule that is missing is not deleted: iptables
    /// would refuse the whole document.
    func lines(from saved: SavedTables, _ family: AddressFamily) -> [String] {
        let (set, found) = (TargetRule.set(family), saved.targets(family))
        let gone = removed.subtracting(put).filter { $0.set == set && found.contains($0) }
        let new = put.filter { $0.set == set && !found.contains($0) }
        return gone.sorted().compactMap(TargetRule.line).map(SavedTables.deletion)
            + new.sorted().compactMap(TargetRule.line)
    }
}
