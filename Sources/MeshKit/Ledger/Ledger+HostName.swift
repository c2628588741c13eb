#if canImport(Glibc)
    import Glibc
#endif

extension Ledger {
    /// The name that the host has (`gethostname(2)`), which a node is called by until somebody names it; `node` where the
    /// host has none.
    public static func hostName() -> String {
        // HOST_NAME_MAX is 64, without the zero that ends the name.
        let name = withUnsafeTemporaryAllocation(of: CChar.self, capacity: 65) { buffer in
            buffer.initialize(repeating: 0)
            gethostname(buffer.baseAddress!, buffer.count - 1)
            return String(cString: buffer.baseAddress!)
        }
        return name.isEmpty ? "node" : name
    }
}
