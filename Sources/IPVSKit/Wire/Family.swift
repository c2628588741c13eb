import CNetlink

/// The generic netlink family that the kernel's `ip_vs_ctl.c` registers.
enum Family {
    static let name = IPVS_GENL_NAME
    static let version = UInt8(IPVS_GENL_VERSION)
}
