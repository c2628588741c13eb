#if canImport(Glibc)
    import Glibc
#endif

extension Ledger {
    /// The name of the host (`gethostname(2)`), which is the node's name until somebody gives it another; `node` if the
    /// host has no name, or one that no node can have.
    public static func hostName() -> String {
        // HOST_NAME_MAX is 64, without the terminating zero.
        let name = withUnsafeTemporaryAllocation(of: CChar.self, capacity: 65) { buffer in
            buffer.initialize(repeating: 0)
            gethostname(buffer.baseAddress!, buffer.count - 1)
            return String(cString: buffer.baseAddress!)
        }
        return MeshSpec.isNodeName(name) ? name : "node"
    }
}
