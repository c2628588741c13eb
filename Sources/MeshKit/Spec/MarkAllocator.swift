import IPVSKit

/// Chooses firewall marks: the lowest free one from 0x100 up that has none of the bits which other programs use in the
/// same namespace (Kubernetes 0x4000 and 0x8000, Tailscale 0xff0000).
enum MarkAllocator {
    static let first: UInt32 = 0x100
    static let foreignBits: UInt32 = 0x00FF_C000

    static func next(avoiding taken: Set<FirewallMark>) throws(InputError) -> FirewallMark {
        var candidate = first
        while candidate >= first {
            if candidate & foreignBits != 0 {
                // Continue with the next number in which all of these bits are clear.
                candidate = (candidate | foreignBits | (foreignBits &- 1)) &+ 1
            } else if let mark = FirewallMark(rawValue: candidate), !taken.contains(mark) {
                return mark
            } else {
                candidate &+= 1
            }
        }
        throw InputError("no firewall mark is free: unpublish a port first")
    }
}
