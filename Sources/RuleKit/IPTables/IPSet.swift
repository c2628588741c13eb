import CIPSet
import IPVSKit
import Netlink

/// The sets that the rules look ports and addresses up in. libipset talks to the kernel, in this process.
enum IPSet: String, CaseIterable {
    case tcpMarks = "mesh-mark-tcp"
    case udpMarks = "mesh-mark-udp"
    case tasks4 = "mesh-task4"
    case tasks6 = "mesh-task6"
    case sourceNAT4 = "mesh-snat4"
    case sourceNAT6 = "mesh-snat6"

    /// What all names of ours begin with.
    static let prefix = "mesh-"

    static func marks(_ transport: TransportProtocol) -> IPSet? {
        switch transport {
        case .tcp: .tcpMarks
        case .udp: .udpMarks
        default: nil
        }
    }

    static func addresses(_ list: AddressList, _ family: AddressFamily) -> IPSet {
        switch (list, family) {
        case (.tasks, .ipv4): .tasks4
        case (.tasks, .ipv6): .tasks6
        case (.sourceNAT, .ipv4): .sourceNAT4
        case (.sourceNAT, .ipv6): .sourceNAT6
        }
    }

    enum Contents {
        case marks(TransportProtocol)
        case addresses(AddressList)
    }

    var contents: Contents {
        switch self {
        case .tcpMarks: .marks(.tcp)
        case .udpMarks: .marks(.udp)
        case .tasks4, .tasks6: .addresses(.tasks)
        case .sourceNAT4, .sourceNAT6: .addresses(.sourceNAT)
        }
    }

    /// Type and the options that make it another set, as `ipset save` prints them.
    var definition: String {
        switch self {
        case .tcpMarks, .udpMarks: "bitmap:port range 0-65535 skbinfo"
        case .tasks4, .sourceNAT4: "hash:ip family inet"
        case .tasks6, .sourceNAT6: "hash:ip family inet6"
        }
    }
}

/// What is in the sets, from the text of `ipset save`.
struct IPSetContents {
    var definition = ""
    /// The entries: an element, and the mark where it has one.
    var entries: [(element: String, mark: FirewallMark?)] = []

    /// - Parameter saved: `create NAME TYPE…`, then `add NAME ELEMENT [skbmark MARK]…`.
    init(saved: String) {
        for line in saved.split(separator: "\n") {
            let words = line.split(separator: " ")
            if words.first == "create", words.count >= 3 {
                definition = words[2...].joined(separator: " ")
            } else if words.first == "add", words.count >= 3 {
                entries.append((String(words[2]), Self.mark(in: words)))
            }
        }
    }

    /// `skbmark 0x100`, or `skbmark 0x100/0xffff` where the mask is not whole: then it is no mark of ours.
    private static func mark(in words: [Substring]) -> FirewallMark? {
        guard let at = words.firstIndex(of: "skbmark"), at + 1 < words.count, words[at + 1].hasPrefix("0x") else {
            return nil
        }
        return UInt32(words[at + 1].dropFirst(2), radix: 16).flatMap(FirewallMark.init)
    }
}

/// libipset, one call at a time, since it keeps global state; and on a thread of its own, since it waits for the
/// kernel.
enum IPSetLibrary {
    private static let lock = Locked(())

    static func names() async throws(RuleError) -> Set<String> {
        let text = try await call("list the ipset sets") { CIPSet_run("list -name") }
        return Set(text.split(separator: "\n").map(String.init))
    }

    static func contents(of set: IPSet) async throws(RuleError) -> IPSetContents {
        IPSetContents(saved: try await call("read ipset set \(set.rawValue)") { CIPSet_run("save \(set.rawValue)") })
    }

    /// The lines of an `ipset restore` file.
    static func restore(_ lines: [String]) async throws(RuleError) {
        guard !lines.isEmpty else { return }
        let script = lines.joined(separator: "\n") + "\n"
        _ = try await call("write the ipset sets") { CIPSet_restore(script, script.utf8.count) }
    }

    private static func call(
        _ operation: String, _ body: @escaping @Sendable () -> CIPSetResult
    ) async throws(RuleError) -> String {
        let (succeeded, output, error): (Bool, String, String)
        do {
            (succeeded, output, error) = try await DetachedThread.run {
                lock.withLock { _ in
                    let result = body()
                    defer { CIPSet_free(result) }
                    return (result.succeeded, String(cString: result.output), String(cString: result.error))
                }
            }
        } catch let failure {
            throw RuleError(code: .refused, operation: operation, reason: "\(failure)")
        }
        guard !succeeded else { return output }
        throw refusal(error.split(separator: "\n").first.map(String.init) ?? "libipset gave no reason", operation)
    }

    private static func refusal(_ reason: String, _ operation: String) -> RuleError {
        if reason.contains("Operation not permitted") {
            return RuleError(
                code: .notPermitted, operation: operation, reason: reason,
                hint: "it takes CAP_NET_ADMIN: run it as root")
        }
        let missing = [
            "Cannot open session", "Kernel support protocol", "Kernel and userspace incompatible",
            "type not supported", "Invalid argument",
        ]
        if missing.contains(where: reason.contains) {
            return RuleError(
                code: .kernelLacksSupport, operation: operation, reason: reason,
                hint: "the kernel needs ipset (modules ip_set, ip_set_bitmap_port, ip_set_hash_ip)")
        }
        return RuleError(code: .refused, operation: operation, reason: reason)
    }
}
