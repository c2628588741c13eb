/// Ports in a set of ranges, whose ends are behind the last port and so need more bits than a port has.
extension RangeSet<Int> {
    init(ports: ClosedRange<UInt16>) { self.init(Int(ports.lowerBound)..<Int(ports.upperBound) + 1) }

    var portRanges: [ClosedRange<UInt16>] {
        ranges.map { UInt16($0.lowerBound)...UInt16($0.upperBound - 1) }
    }
}
