/// A setting of a namespace's IPVS: a sysctl of `net.ipv4.vs`, with the type of its value.
///
/// ```swift
/// try await ipvs.set(.expireNodestConn, to: true)
/// if let mode = try await ipvs.setting(.connReuseMode) { … }     // nil: this kernel has no such setting
/// ```
///
/// Which settings exist depends on the kernel's version and build. The constants name those up to the development
/// kernels of 2026. Each namespace has its own values, and a new namespace begins with the kernel's defaults. The
/// kernel's `Documentation/networking/ipvs-sysctl.rst` says more about each setting.
public struct Setting<Value: SettingValue>: Hashable, Sendable, CustomStringConvertible {
    /// The name of the file below `/proc/sys/net/ipv4/vs`.
    public let name: String

    /// A setting by name, for settings without a constant here: `Setting<Int32>("debug_level")`.
    public init(_ name: String) {
        precondition(Self.isName(name), "no name of a setting: \(name)")
        self.name = name
    }

    /// Whether the name is that of a file in the folder, not in another one.
    static func isName(_ name: String) -> Bool { !name.isEmpty && !name.utf8.contains(UInt8(ascii: "/")) }

    /// The full name: `net.ipv4.vs.conntrack`.
    public var description: String { "net.ipv4.vs.\(name)" }
}
