import IPVSKit
import Netlink
import SystemPackage

extension RuleError {
    /// Why a namespace could not be opened.
    init(opening error: IPVSError, operation: String) {
        let isPermission = error.errno == .notPermitted || error.errno == .permissionDenied
        self.init(
            code: isPermission ? .notPermitted : .refused, operation: operation, reason: "\(error)",
            hint: isPermission ? "run the program as root" : nil)
    }
}

extension NetworkNamespace {
    /// Opens the namespace, for the time of one operation on rules.
    func open(for operation: String) throws(RuleError) -> NamespaceHandle {
        do throws(IPVSError) {
            return try open()
        } catch {
            throw RuleError(opening: error, operation: operation)
        }
    }
}
