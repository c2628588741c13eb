/// A setting of a namespace's IPVS: a sysctl of `net.ipv4.vs`, with the type of its value.
///
/// ```swift
/// try await ipvs.set(.expireNodestConn, to: true)
/// if let mode = try await ipvs.setting(.connReuseMode) { … }     // nil: this kernel has no such setting
/// ```
///
/// Which there are depends on the kernel's version and on how it was built; the constants name those up to the
/// development kernels of 2026. Each namespace has its own values, and a new one begins with the kernel's
/// defaults. `Documentation/networking/ipvs-sysctl.rst` of the kernel says more about each.
public struct Setting<Value: SettingValue>: Hashable, Sendable, CustomStringConvertible {
    /// The name of the file below `/proc/sys/net/ipv4/vs`.
    public let name: String

    /// A setting by name, for those without a constant here: `Setting<Int32>("debug_level")`.
    public init(_ name: String) {
        precondition(Self.isName(name), "no name of a setting: \(name)")
        self.name = name
    }

    /// Whether it names a file of that folder, and none elsewhere.
    static func isName(_ name: String) -> Bool { !name.isEmpty && !name.utf8.contains(UInt8(ascii: "/")) }

    /// The full name: `net.ipv4.vs.conntrack`.
    public var description: String { "net.ipv4.vs.\(name)" }
}
