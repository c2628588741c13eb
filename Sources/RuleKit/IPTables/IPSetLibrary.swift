import CIPSet
import IPVSKit
import Netlink

#if canImport(Glibc)
    import Glibc
#endif

/// Calls libipset, which talks to the kernel from this process, in a network namespace. Calls are serialised, since
/// libipset keeps global state, and each runs on a thread of its own, since it blocks and may have to enter the
/// namespace.
struct IPSetLibrary {
    /// Nil for the namespace of the process.
    let namespace: NamespaceHandle?
    /// How long one call is waited for, the calls before it included.
    var deadline = Duration.seconds(30)

    /// Whose call it is. One that is given up keeps it until the library returns.
    static let lock = Locked(())

    /// The names of all sets of the namespace.
    func names() async throws(RuleError) -> Set<String> {
        let (texts, failure) = try await call("list the ipset sets") { Self.outputs(of: ["list -name"]) }
        if let failure { throw Self.refusal(failure, "list the ipset sets") }
        return Set(texts[0].split(separator: "\n").map(String.init))
    }

    /// The contents of those of these sets that exist.
    func contents(of sets: [IPSet]) async throws(RuleError) -> [IPSet: IPSetContents] {
        let names = try await names()
        let found = sets.filter { names.contains($0.name) }
        let texts = try await texts("save", of: found.map(\.name))
        return Dictionary(uniqueKeysWithValues: zip(found, texts).map { ($0, IPSetContents($0, saved: $1)) })
    }

    /// The definitions of those of these sets that exist, and how many users each has.
    func headers(of sets: [IPSet]) async throws(RuleError) -> [IPSet: IPSetHeader] {
        let found = try await headers(of: sets.map(\.name))
        return Dictionary(uniqueKeysWithValues: sets.compactMap { set in found[set.name].map { (set, $0) } })
    }

    /// The members of each set of sets (`list:set`), of any owner.
    func lists() async throws(RuleError) -> [String: Set<String>] {
        let lists = try await headers(of: nil).filter { $0.value.definition.hasPrefix("list:set ") }.keys.sorted()
        let texts = try await texts("save", of: lists)
        return Dictionary(
            uniqueKeysWithValues: zip(lists, texts).map { list, text in
                let additions = text.split(separator: "\n").map { $0.split(separator: " ") }.filter { $0[0] == "add" }
                return (list, Set(additions.compactMap { $0.dropFirst(2).first.map(String.init) }))
            })
    }

    /// - Parameter wanted: the names of the sets; nil for all sets.
    private func headers(of wanted: [String]?) async throws(RuleError) -> [String: IPSetHeader] {
        let names = try await names()
        let found = wanted?.filter(names.contains) ?? names.sorted()
        let texts = try await texts("list -terse", of: found)
        return Dictionary(uniqueKeysWithValues: zip(found, texts).map { ($0, IPSetHeader(listed: $1)) })
    }

    /// What a command prints of each of the sets.
    private func texts(_ command: String, of sets: [String]) async throws(RuleError) -> [String] {
        guard !sets.isEmpty else { return [] }
        let (texts, failure) = try await call("read the ipset sets") {
            Self.outputs(of: sets.map { "\(command) \($0)" })
        }
        if let failure { throw Self.refusal("\(sets[texts.count]): \(failure)", "read the ipset sets") }
        return texts
    }

    /// Creates those of the sets that do not exist, and returns them. If one cannot be created, none is.
    func create(_ sets: [IPSet]) async throws(RuleError) -> [IPSet] {
        let names = try await names()
        let missing = sets.filter { !names.contains($0.name) }
        do {
            // Without -exist the command fails if a set has appeared meanwhile: that set belongs to somebody else.
            try await restore(missing.map { "create \($0.name) \($0.definition)" })
        } catch {
            // Sets whose creation was not reached do not exist, so only existing ones are destroyed.
            if let now = try? await self.names() { await destroy(missing.filter { now.contains($0.name) }) }
            throw error
        }
        return missing
    }

    /// Destroys sets, as far as the kernel allows: the next pass sees those that are left.
    func destroy(_ sets: [IPSet]) async {
        for set in sets { try? await restore(["destroy \(set.name)"]) }
    }

    /// Runs the lines of an `ipset restore` file, in as few messages to the kernel as they fit in.
    func restore(_ lines: [String]) async throws(RuleError) {
        guard !lines.isEmpty else { return }
        let script = lines.joined(separator: "\n") + "\n"
        let (_, failure) = try await call("write the ipset sets") {
            Self.result(of: CIPSet_restore(script, script.utf8.count))
        }
        guard let failure else { return }
        // libipset's message names the number of a line; the user needs the line itself.
        let (number, reason) = Self.line(in: failure)
        let operation = number.flatMap { $0 <= lines.count ? "run ipset \(lines[$0 - 1])" : nil }
        throw Self.refusal(reason, operation ?? "write the ipset sets")
    }

    /// Runs the body on a thread of its own, once the calls before it have ended.
    func call<Output: Sendable>(
        _ operation: String, _ body: @escaping @Sendable () -> (Output, String?)
    ) async throws(RuleError) -> (Output, String?) {
        do throws(NetlinkError) {
            return try await DetachedThread.run(in: namespace, deadline: deadline, holding: Self.lock, body)
        } catch {
            throw RuleError(error, waitingFor: "libipset", deadline: deadline, operation: operation)
        }
    }

    /// What the commands print, run one after the other until one fails, and why it does.
    static func outputs(of commands: [String]) -> ([String], String?) {
        let lines = commands.map { strdup($0)! }
        defer { for line in lines { free(line) } }
        let results = [CIPSetResult](unsafeUninitializedCapacity: commands.count) { buffer, count in
            count = CIPSet_run(lines, lines.count, buffer.baseAddress!)
        }.map(Self.result)
        return (results.filter { $0.1 == nil }.map(\.0), results.last?.1)
    }

    private static func result(of result: CIPSetResult) -> (String, String?) {
        defer { CIPSet_free(result) }
        let output = String(cString: result.output)
        guard !result.succeeded else { return (output, nil) }
        let error = String(cString: result.error)
        return (output, error.split(separator: "\n").first.map(String.init) ?? "libipset gave no reason")
    }

    /// Splits libipset's message `Error in line 3: Kernel error received: …` into the number and the reason.
    static func line(in failure: String) -> (Int?, String) {
        let introduction = "Error in line "
        guard failure.hasPrefix(introduction) else { return (nil, failure) }
        let rest = failure.dropFirst(introduction.count)
        let digits = rest.prefix { $0.isNumber }
        return (Int(digits), String(rest.dropFirst(digits.count).drop { $0 == ":" || $0 == " " }))
    }

    private static func refusal(_ reason: String, _ operation: String) -> RuleError {
        let code = ToolMessages.code(of: reason, from: .libipset)
        let hint: String? =
            switch code {
            case .notPermitted: "this needs CAP_NET_ADMIN: run the program as root"
            case .kernelLacksSupport:
                "the kernel needs ipset (modules ip_set, ip_set_bitmap_port, ip_set_hash_ip, "
                    + "ip_set_hash_ipmark, ip_set_hash_ipport, ip_set_hash_ipportnet, ip_set_hash_netnet, "
                    + "ip_set_hash_netport)"
            case .refused, .toolMissing, .deadlineExceeded, .cancelled: nil
            }
        return RuleError(code: code, operation: operation, reason: reason, hint: hint)
    }
}
