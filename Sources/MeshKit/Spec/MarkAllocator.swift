import IPVSKit

/// Chooses firewall marks: the lowest free ones from 0x100 up that have none of the bits which other programs use in the
/// same namespace (Kubernetes 0x4000 and 0x8000, Tailscale 0xff0000).
struct MarkAllocator {
    static let first: UInt32 = 0x100
    static let foreignBits: UInt32 = 0x00FF_C000

    private let taken: Set<FirewallMark>
    private var candidate = first

    /// - Parameter taken: the marks that are not free.
    init(avoiding taken: Set<FirewallMark>) { self.taken = taken }

    /// The next free mark, which is not given again.
    mutating func next() throws(InputError) -> FirewallMark {
        while candidate >= Self.first {
            defer { candidate &+= 1 }
            if candidate & Self.foreignBits != 0 {
                // Continue with the next number in which all of these bits are clear.
                candidate = candidate | Self.foreignBits | (Self.foreignBits &- 1)
            } else if let mark = FirewallMark(rawValue: candidate), !taken.contains(mark) {
                return mark
            }
        }
        throw InputError("no firewall mark is free: unpublish a port first")
    }

    /// The lowest free mark.
    static func next(avoiding taken: Set<FirewallMark>) throws(InputError) -> FirewallMark {
        var allocator = Self(avoiding: taken)
        return try allocator.next()
    }
}
