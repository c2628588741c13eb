/// The elements that must be put into sets, and taken from them, so that the sets hold the wanted elements.
struct ElementDifference: Equatable {
    struct Addition: Equatable {
        var element: SetElement
        /// The elements that must go first, because they have the same key, or ports or networks that overlap.
        var replaced: [SetElement]
    }

    var additions: [Addition] = []
    var removals: [SetElement] = []

    /// - Parameters:
    ///   - setsWithSinglePorts: the sets that hold each port of a range as an element of its own.
    ///   - disjoint: the sets in which no network may overlap another.
    init(
        from found: Set<SetElement>, to wanted: Set<SetElement>, setsWithSinglePorts: Set<String>,
        disjoint: Set<String> = []
    ) {
        var added = wanted.subtracting(found)
        // Usually every element that was found is wanted. The two counts show that, and then no set need be subtracted.
        let kept = wanted.count - added.count
        var removed = kept == found.count ? [] : found.subtracting(wanted)
        Self.splitRanges(&added, &removed, in: setsWithSinglePorts)

        // An addition conflicts with a removal only if their keys match apart from ports or prefixes, and those
        // overlap. A stray key counts as a conflict for every addition to its set.
        func fixedKey(of element: SetElement) -> SetElement {
            if element.stray != nil { return SetElement(element.set) }
            var key = element.keyWithoutPorts
            if disjoint.contains(element.set) { key.prefix = nil }
            return key
        }
        var candidates = Dictionary(grouping: removed, by: fixedKey)
        guard !candidates.isEmpty else {
            additions = added.map { Addition(element: $0, replaced: []) }
            return
        }
        for element in added.sorted() {
            var replaced: [SetElement] = []
            for key in Set([fixedKey(of: element), SetElement(element.set)]) {
                guard let others = candidates[key] else { continue }
                let inItsWay = others.filter { $0.stray != nil || $0.overlaps(element) }
                if !inItsWay.isEmpty { candidates[key] = others.filter { !inItsWay.contains($0) } }
                replaced += inItsWay
            }
            additions.append(Addition(element: element, replaced: replaced.sorted()))
        }
        removals = candidates.values.flatMap(\.self)
    }

    /// In a set that holds each port as an element of its own, only the missing ports of a range are added, and only
    /// the ports that are not wanted are removed.
    private static func splitRanges(
        _ added: inout Set<SetElement>, _ removed: inout Set<SetElement>, in sets: Set<String>
    ) {
        let (wanted, found) = (ports(of: added, in: sets), ports(of: removed, in: sets))
        added = added.filter { !sets.contains($0.set) || $0.ports == nil }
        removed = removed.filter { !sets.contains($0.set) || $0.ports == nil }
        for (element, ports) in wanted {
            added.formUnion(element.with(ports.subtracting(found[element] ?? RangeSet())))
        }
        for (element, ports) in found {
            removed.formUnion(element.with(ports.subtracting(wanted[element] ?? RangeSet())))
        }
    }

    /// The ports of elements that differ in their ports only.
    private static func ports(of elements: Set<SetElement>, in sets: Set<String>) -> [SetElement: RangeSet<Int>] {
        var result: [SetElement: RangeSet<Int>] = [:]
        for element in elements where sets.contains(element.set) {
            guard let ports = element.ports else { continue }
            result[element.with(ports: nil), default: RangeSet()].formUnion(RangeSet(ports: ports))
        }
        return result
    }
}

extension SetElement {
    fileprivate func overlaps(_ other: SetElement) -> Bool {
        if let mine = prefix, let theirs = other.prefix, !mine.overlaps(theirs) { return false }
        guard let mine = ports, let theirs = other.ports else { return ports == other.ports }
        return mine.overlaps(theirs)
    }
}

extension Collection<SetElement> {
    /// The same elements, with consecutive ports as one range. A set that holds each port as an element of its own is
    /// read back in this form, which is also the form in which elements are rendered.
    func coalesced() -> Set<SetElement> {
        var result: Set<SetElement> = []
        var ports: [SetElement: [UInt16]] = [:]
        for element in self {
            guard let range = element.ports, range.count == 1 else {
                result.insert(element)
                continue
            }
            ports[element.with(ports: nil), default: []].append(range.lowerBound)
        }
        for (element, list) in ports {
            var start: UInt16?
            var last: UInt16 = 0
            for port in list.sorted() {
                if let begin = start, port > last &+ 1 {
                    result.insert(element.with(ports: begin...last))
                    start = port
                }
                start = start ?? port
                last = port
            }
            if let start { result.insert(element.with(ports: start...last)) }
        }
        return result
    }
}
