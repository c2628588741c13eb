import Netlink
import SystemPackage

extension IPVSError {
    /// The meaning of an errno depends on the command: ENOENT stands for a scheduler in the answer to one command, and
    /// for a destination in the answer to another. The kernel's side of this is `net/netfilter/ipvs/ip_vs_ctl.c`.
    init(_ errno: Errno, answering change: Change) {
        self.init(Self.code(errno, change), errno: errno, operation: change.description)
        switch (code, change) {
        case (.schedulerNotFound, .createService(let service)), (.schedulerNotFound, .updateService(let service)):
            hint =
                service.persistenceEngine == nil
                ? "the kernel has no module ip_vs_\(service.scheduler)"
                : "the kernel has no module ip_vs_\(service.scheduler), or none for its persistence engine"
        default:
            hint = change.reason(for: code)
        }
        explainPermission()
    }

    /// The error for an errno that answers any command except a change of the table.
    ///
    /// - Parameter meaning: the meanings that errno values have for this command only.
    init(_ errno: Errno, operation: String, meaning: [Errno: Code]) {
        let code = meaning[errno] ?? Self.code(errno)
        self.init(code, errno: errno, operation: operation)
        explainPermission()
    }

    private static func code(_ errno: Errno, _ change: Change) -> Code {
        switch (errno, change) {
        case (.noSuchProcess, _): .serviceNotFound
        case (.fileExists, .createService): .serviceExists
        case (.fileExists, .createDestination): .destinationExists
        case (.noSuchFileOrDirectory, .createService), (.noSuchFileOrDirectory, .updateService): .schedulerNotFound
        case (.noSuchFileOrDirectory, .updateDestination), (.noSuchFileOrDirectory, .deleteDestination):
            .destinationNotFound
        default: code(errno)
        }
    }

    /// The meanings that errno values have for every command.
    private static func code(_ errno: Errno) -> Code {
        switch errno {
        case .notPermitted: .notPermitted
        case .invalidArgument: .invalid
        case .outOfRange: .outOfRange
        case .addressFamilyNotSupported: .familyNotSupported
        default: .other
        }
    }

    /// The error for an exchange that failed as a whole.
    init(_ error: NetlinkError, operation: String, meaning: [Errno: Code] = [:]) {
        switch error {
        case .familyNotFound: self.init(interruptedBy: .familyNotFound, operation: operation)
        case .socket(let errno): self.init(.communication, errno: errno, operation: operation)
        case .namespace(let errno):
            self.init(
                .namespace, errno: errno, operation: operation,
                hint: errno == .notPermitted ? "entering another network namespace needs CAP_SYS_ADMIN" : nil)
        case .interrupted(let interruption): self.init(interruptedBy: interruption, operation: operation)
        case .refused(let errno, let message):
            self.init(errno, operation: operation, meaning: meaning)
            explain(by: message)
        }
    }

    /// What the kernel says in words of its own, where nothing better is known.
    mutating func explain(by message: String?) {
        if hint == nil, let message { hint = "the kernel says: \(message)" }
    }

    init(interruptedBy interruption: Interruption, operation: String) {
        switch interruption {
        case .deadlineExceeded: self.init(.deadlineExceeded, operation: operation)
        case .cancelled: self.init(.cancelled, operation: operation)
        case .closed: self.init(.closed, operation: operation)
        case .inconsistent:
            self.init(
                .inconsistent, operation: operation, hint: "what is listed changed during each reading; try again")
        case .repliesLost: self.init(.outcomeUnknown, errno: .noBufferSpace, operation: operation)
        case .malformedReply:
            self.init(.communication, operation: operation, hint: "the kernel sent bytes that are not netlink")
        case .familyNotFound:
            self.init(
                .unavailable, operation: operation,
                hint: "the kernel module ip_vs is missing: load it with `modprobe ip_vs`, or install a kernel built "
                    + "with CONFIG_IP_VS (Debian and Ubuntu: linux-image-amd64, linux-modules-extra)")
        case .socket(let errno): self.init(.communication, errno: errno, operation: operation)
        }
    }

    /// Explains ``Code/notPermitted``. Every command of IPVS, reading included, wants CAP_NET_ADMIN in the initial user
    /// namespace: root in a rootless container does not have it.
    private mutating func explainPermission() {
        guard code == .notPermitted else { return }
        isInUserNamespace = !Self.isFirstUserNamespace(uidMap: Self.uidMap)
        hint =
            isInUserNamespace
            ? "IPVS needs CAP_NET_ADMIN in the initial user namespace, and this process is in another one"
            : "this needs CAP_NET_ADMIN: run the program as root"
    }

    /// Whether the process is in the initial user namespace: only there, every id maps to itself.
    ///
    /// - Parameter text: the contents of `/proc/self/uid_map`; nil if there is no such file.
    static func isFirstUserNamespace(uidMap text: String?) -> Bool {
        guard let text else { return true }
        return text.split(whereSeparator: { $0 == " " || $0 == "\n" }) == ["0", "0", "4294967295"]
    }

    private static var uidMap: String? { try? ProcFile.text("/proc/self/uid_map") }
}
