import MeshKit

#if canImport(Glibc)
    import Glibc
#endif

extension RuleTool {
    /// Those that this kernel is to be tested with, by `MESHCTL_TEST_RULES` (`nftables,iptables`), which `make` sets:
    /// user-mode Linux has no nftables of the families that it takes.
    static let tested: [RuleTool] = {
        let names = getenv("MESHCTL_TEST_RULES").map { String(cString: $0) } ?? "iptables"
        let tools = names.split(separator: ",").map { name in
            guard let tool = RuleTool(rawValue: String(name)) else { fatalError("MESHCTL_TEST_RULES: \(name)") }
            return tool
        }
        precondition(!tools.isEmpty, "MESHCTL_TEST_RULES names nothing")
        return tools
    }()
}
