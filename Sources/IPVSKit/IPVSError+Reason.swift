/// The kernel gives an errno and no words: what was wrong stands in its log at best. What the change itself shows is
/// told here.
extension Change {
    /// Why the kernel refuses such a change with an error of this code; nil where the change does not show it.
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
    /// What the kernel looks at whenever a destination is written: `ip_vs_genl_set_cmd`, `__ip_vs_update_dest`.
    fileprivate func reasonForInvalid(family: AddressFamily) -> String? {
        if id.address.family != family {
            return forwarding == .tunnel
                ? "no sync daemon may run while a destination is of another family than its service"
                : "only a tunnel leads to a destination of another family than its service"
        }
        if forwarding == .tunnel, tunnel.type == .gue, tunnel.port == 0 { return "a GUE tunnel takes a port" }
        return nil
    }

    fileprivate var reasonForRange: String? {
        if weight > UInt32(Int32.max) { return "a weight is 2147483647 at most" }
        if lowerThreshold > upperThreshold { return "the lower threshold is above the upper one" }
        return nil
    }
}

extension IPAddress {
    /// What the kernel looks at when a destination is new: `ip_vs_new_dest`.
    fileprivate var reasonForInvalid: String {
        if isUnspecified { return "\(self) is nobody's address" }
        if isMulticast { return "\(self) is a multicast address" }
        if isIPv4Mapped { return "\(self) is an IPv4 address: give it as one" }
        if isLinkLocal { return "\(self) is of one link only, and not this host's" }
        return "to this host \(self) is no unicast address, but perhaps the broadcast address of a network"
    }
}
