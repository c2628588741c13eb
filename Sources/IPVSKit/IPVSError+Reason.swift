/// The kernel answers with an errno only, and writes the reason to its log at best. This extension finds the reasons
/// that the change itself shows.
extension Change {
    /// The reason for which the kernel refuses the change with an error of this code; nil if the change does not show
    /// it.
    func reason(for code: IPVSError.Code) -> String? {
        switch (code, self) {
        case (.familyNotSupported, _): "IPv6 is off, or the kernel was built without CONFIG_IP_VS_IPV6"
        case (.invalid, .createDestination(let destination, let id)):
            destination.reasonForInvalid(family: id.family)
                ?? destination.id.address.reasonForInvalid
        case (.invalid, .updateDestination(let destination, let id)): destination.reasonForInvalid(family: id.family)
        case (.outOfRange, .createDestination(let destination, _)),
            (.outOfRange, .updateDestination(let destination, _)):
            destination.reasonForRange
        default: nil
        }
    }
}

extension Destination {
    /// The checks of the kernel for every destination that is written: `ip_vs_genl_set_cmd`, `__ip_vs_update_dest`.
    fileprivate func reasonForInvalid(family: AddressFamily) -> String? {
        if id.address.family != family {
            return forwarding == .tunnel
                ? "no sync daemon may run while a destination is of another family than its service"
                : "only a tunnel leads to a destination of another family than its service"
        }
        if forwarding == .tunnel, tunnel.type == .gue, tunnel.port == 0 { return "a GUE tunnel needs a port" }
        return nil
    }

    fileprivate var reasonForRange: String? {
        if weight > UInt32(Int32.max) { return "a weight is 2147483647 at most" }
        if lowerThreshold > upperThreshold { return "the lower threshold is above the upper one" }
        return nil
    }
}

extension IPAddress {
    /// The checks of the kernel for a new destination: `ip_vs_new_dest`.
    fileprivate var reasonForInvalid: String {
        if isUnspecified { return "\(self) is the unspecified address" }
        if isMulticast { return "\(self) is a multicast address" }
        if isIPv4Mapped { return "\(self) is an IPv4 address in the form of IPv6: use the IPv4 form" }
        if isLinkLocal { return "\(self) is a link-local address, and not one of this host" }
        return "\(self) is not a unicast address for this host; it may be the broadcast address of a network"
    }
}
