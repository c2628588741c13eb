import RuleKit

/// The setting `ip_local_reserved_ports`: ports that the node does not choose as source ports. Other programs write the
/// same list, so the mesh has to know which entries are its own.
struct PortReservation: Equatable {
    /// The value that the setting should have.
    var value: String
    /// The ports in the list that are the mesh's.
    var ours: [ClosedRange<UInt16>]

    /// - Parameters:
    ///   - current: the present value of the setting.
    ///   - former: the ports in the present value that are the mesh's.
    ///   - wanted: the ports that the mesh wants in the list.
    init(current: String, former: [ClosedRange<UInt16>], wanted: [ClosedRange<UInt16>]) {
        let others = Self.parse(current).subtracting(RangeSet(former))
        let wanted = RangeSet(wanted)
        ours = wanted.subtracting(others).closedRanges
        value = others.union(wanted).closedRanges.map(PortBinding.text(of:)).joined(separator: ",")
    }

    /// The published ports that lie in the range of source ports, the smallest ranges first, as long as half of that
    /// range stays free: a node without a free source port cannot connect to anything.
    static func reservable(
        _ bindings: some Sequence<PortBinding>, among localPorts: ClosedRange<UInt16>
    ) -> [ClosedRange<UInt16>] {
        var reserved = RangeSet<Int>()
        var left = localPorts.count / 2
        for ports in Set(bindings.map(\.ports)).sorted(by: { ($0.count, $0.lowerBound) < ($1.count, $1.lowerBound) })
        where ports.overlaps(localPorts) {
            let more = RangeSet([ports.clamped(to: localPorts)]).subtracting(reserved)
            let count = more.closedRanges.reduce(0) { $0 + $1.count }
            guard count <= left else { break }
            left -= count
            reserved.formUnion(more)
        }
        return reserved.closedRanges
    }

    /// Parses a list as the kernel prints it: `8080,9148,1000-1010`, or empty.
    private static func parse(_ text: String) -> RangeSet<Int> {
        RangeSet(
            text.split(whereSeparator: { $0 == "," || $0 == "\n" || $0 == " " }).compactMap { part in
                let ends = part.split(separator: "-").compactMap { UInt16($0) }
                guard let first = ends.first, let last = ends.last, first <= last else { return nil }
                return first...last
            })
    }
}

extension RangeSet<Int> {
    fileprivate init(_ ranges: [ClosedRange<UInt16>]) {
        self.init(ranges.map { Int($0.lowerBound)..<Int($0.upperBound) + 1 } as [Range<Int>])
    }

    fileprivate var closedRanges: [ClosedRange<UInt16>] {
        ranges.map { UInt16($0.lowerBound)...UInt16($0.upperBound - 1) }
    }
}
