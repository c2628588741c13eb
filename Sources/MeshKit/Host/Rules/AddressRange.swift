import IPVSKit
import RuleKit

/// A range of addresses of one family, as a rule names it.
extension ClosedRange<IPAddress> {
    /// Parses `10.0.0.0/8`, `10.0.0.0/255.0.0.0`, `10.0.0.1-10.0.0.9` or `10.0.0.1`.
    init?(rule text: some StringProtocol) {
        if let dash = text.firstIndex(of: "-") {
            guard let first = IPAddress(String(text[..<dash])),
                let last = IPAddress(String(text[text.index(after: dash)...])), first.family == last.family,
                first <= last
            else { return nil }
            self = first...last
            return
        }
        let parts = text.split(separator: "/", maxSplits: 1)
        guard let first = parts.first, let address = IPAddress(String(first)) else { return nil }
        guard parts.count == 2 else {
            self = address...address
            return
        }
        if let length = Int(parts[1]) {
            self.init(prefix: address, length: length)
        } else if let mask = IPAddress(String(parts[1])), case .ipv4(let number) = mask.storage {
            self.init(prefix: address, length: (~number).leadingZeroBitCount)
        } else {
            return nil
        }
    }

    init?(prefix address: IPAddress, length: Int) {
        guard (0...(address.family == .ipv4 ? 32 : 128)).contains(length) else { return nil }
        let prefix = IPPrefix(address, length: length)
        self = prefix.address...prefix.lastAddress
    }

    /// Whether the range contains an address that is known to be in one of some ranges; nil stands for any address.
    func truth(oneOf possible: Set<ClosedRange<IPAddress>>?, _ family: AddressFamily) -> Truth {
        guard lowerBound.family == family else { return .no }
        guard let possible else {
            if self == Self(prefix: lowerBound, length: 0) { return .yes }
            return isNeverOnAWire ? .no : .maybe
        }
        if possible.allSatisfy({ !overlaps($0) }) { return .no }
        return possible.allSatisfy { lowerBound <= $0.lowerBound && $0.upperBound <= upperBound } ? .yes : .maybe
    }

    /// The only address of the range; nil if it has several.
    var single: IPAddress? { lowerBound == upperBound ? lowerBound : nil }

    /// Whether no single other host can have an address of the range.
    private var isNeverOnAWire: Bool {
        (lowerBound.isLoopback && upperBound.isLoopback) || (lowerBound.isMulticast && upperBound.isMulticast)
            || (lowerBound.isReserved && upperBound.isReserved)
            || (lowerBound.isUnspecified && upperBound.isUnspecified)
    }
}

extension IPPrefix {
    /// The addresses from the first to the last.
    var range: ClosedRange<IPAddress> { address...lastAddress }
}

extension Set<IPAddress> {
    /// One range for each address.
    var ranges: Set<ClosedRange<IPAddress>> { Set<ClosedRange<IPAddress>>(map { $0...$0 }) }
}
