import IPVSKit
import Netlink
import SystemPackage
import Testing

@testable import RuleKit

/// Namespaces that cannot be opened: both tools say the same of them.
@Suite struct NamespaceErrorTests {
    @Test(arguments: [Errno.notPermitted, .permissionDenied])
    func aNamespaceOfOthersTakesAPermission(errno: Errno) {
        let error = RuleError(
            opening: IPVSError(.namespace, errno: errno, operation: "open network namespace pid 1"), operation: "look")
        #expect(error.code == .notPermitted)
        #expect(error.description.hasPrefix("cannot look: cannot open network namespace pid 1: "))
    }

    @Test func aNamespaceThatIsGoneIsRefused() async {
        let gone = NetworkNamespace.path("/nonexistent/namespace")
        let byNFTables = await #expect(throws: RuleError.self) { try await NFTablesBackend(in: gone).owner() }
        let byIPTables = await #expect(throws: RuleError.self) { try await IPTablesBackend(in: gone).owner() }
        for error in [byNFTables, byIPTables] {
            #expect(error?.code == .refused)
            #expect(error?.reason.contains("/nonexistent/namespace") == true)
        }
    }
}
