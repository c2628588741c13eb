import Netlink
import SystemPackage

extension RuleError {
    /// What ended the wait for somebody else's code, or for the kernel.
    ///
    /// - Parameters:
    ///   - name: whose code it is: `libnftables`.
    ///   - deadline: how long it was waited for.
    init(_ error: NetlinkError, waitingFor name: String, deadline: Duration, operation: String) {
        switch error {
        case .interrupted(.deadlineExceeded):
            self.init(
                code: .deadlineExceeded, operation: operation,
                reason: "\(name) did not answer within \(deadline); it is still running, and may change the rules yet")
        case .interrupted(.cancelled):
            self.init(
                code: .cancelled, operation: operation,
                reason: "the task was cancelled; \(name) may still be running, and change the rules yet")
        case .namespace(.notPermitted), .refused(.notPermitted, _), .refused(.permissionDenied, _):
            self.init(
                code: .notPermitted, operation: operation, reason: error.words,
                hint: "it takes CAP_NET_ADMIN: run it as root")
        case .socket(.protocolNotSupported), .socket(.addressFamilyNotSupported), .refused(.notSupportedOnSocket, _),
            .refused(.protocolNotSupported, _):
            self.init(code: .kernelLacksSupport, operation: operation, reason: error.words)
        default: self.init(code: .refused, operation: operation, reason: error.words)
        }
    }
}

extension NetlinkError {
    /// The errno, and the kernel's own words where it has some (`NLMSGERR_ATTR_MSG`).
    fileprivate var words: String {
        (errno.map { "\($0)" } ?? "\(self)") + (message.map { " (\($0))" } ?? "")
    }
}
