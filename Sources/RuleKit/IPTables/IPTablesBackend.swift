public import IPVSKit
import Netlink

#if canImport(Glibc)
    import Glibc
#endif

/// Writes rules by iptables, and ports and addresses into ipset sets.
///
/// Two variants of iptables exist, legacy and nft; ``FoundTables`` describes how one is chosen.
public struct IPTablesBackend: RuleBackend {
    /// `iptables`.
    public var name: String { "iptables" }

    let namespace: NetworkNamespace
    /// IPv4, and IPv6 if the kernel has it: a kernel without IPv6 has no ip6tables.
    let families: [AddressFamily]
    /// The result of the last look at the tables. Changes that are made in the same pass are based on it, without
    /// another look.
    let lastLook = Locked<FoundTables?>(nil)

    /// What the programs of iptables-nft listed.
    let listings = Remembered<String, SavedTables>()
    let generation: RulesetGeneration?

    /// How long one call of libipset, or one program, is waited for.
    let deadline: Duration

    /// For the namespace of the process, unless said otherwise.
    ///
    /// - Parameters:
    ///   - generation: the generation of the nftables rules in that namespace, for a backend that reads them again and
    ///     again; iptables-nft is then run only when they have changed. Nil to run it each time.
    ///   - deadline: how long one call of libipset, or one program, is waited for before the call fails with
    ///     ``RuleError/Code/deadlineExceeded``. A program waits ten seconds for the lock of legacy iptables.
    public init(
        in namespace: NetworkNamespace = .current, generation: RulesetGeneration? = nil,
        deadline: Duration = .seconds(30)
    ) {
        self.init(
            in: namespace, families: access("/proc/net/if_inet6", F_OK) == 0 ? [.ipv4, .ipv6] : [.ipv4],
            generation: generation, deadline: deadline)
    }

    init(
        in namespace: NetworkNamespace, families: [AddressFamily], generation: RulesetGeneration? = nil,
        deadline: Duration = .seconds(30)
    ) {
        self.generation = generation
        self.namespace = namespace
        self.families = families
        self.deadline = deadline
    }

    /// The families in which a role has chains. Each family costs a process for every look.
    func families(of role: RuleRole) -> [AddressFamily] {
        switch role {
        case .balancer, .task, .passage: families
        case .turnaround(let node): families.filter(Set(node.map(\.family)).contains)
        }
    }

    /// All our sets, in the order of ``RenderedRules/order``.
    var sets: [IPSet] { IPSet.all(families) }

    /// Opens the namespace, for the time of one operation; nil for the namespace of the process.
    func open() throws(RuleError) -> NamespaceHandle? {
        namespace.isCurrent ? nil : try namespace.open(for: "enter network namespace \(namespace)")
    }

    /// Reads our rules and elements from the kernel, with one iptables-save for each family of the role.
    public func read(expecting role: RuleRole) async throws(RuleError) -> ObservedRules {
        let handle = try open()
        let families = families(of: role)
        let located = try await locate(families, in: handle)
        lastLook.withLock { $0 = located }

        var faults: [RuleFault] = []
        for family in families {
            faults += (located.tables[family] ?? SavedTables("")).faults(
                against: Skeleton(role: role, family: family), tool: IPTablesTool.name(family), family: family)
        }
        let owner = located.tables.values.lazy.compactMap(\.owner).first
        guard case .balancer = role else {
            return ObservedRules(
                skeleton: located.isEmpty ? .absent : faults.isEmpty ? .intact : .damaged(faults), owner: owner)
        }

        let library = IPSetLibrary(namespace: handle, deadline: deadline)
        let contents = try await library.contents(of: sets)
        // Empty sets that somebody else uses stay behind when everything else is removed, and count as absent.
        if located.isEmpty, contents.values.allSatisfy(\.isEmpty),
            try await library.headers(of: sets).values.allSatisfy({ $0.references > 0 })
        {
            return ObservedRules()
        }
        var elements: Set<SetElement> = []
        var strays: [String] = []
        for set in sets {
            guard let found = contents[set] else {
                faults.append(RuleFault("ipset: set \(set.name) missing"))
                continue
            }
            guard set.works(as: found.definition) else {
                faults.append(RuleFault("ipset: set \(set.name) is \(found.definition), not \(set.definition)"))
                continue
            }
            strays += found.strays.map { "del \(set.name) \($0) -exist" }
            faults += found.strays.map { RuleFault("ipset \(set.name): element not ours: \($0)") }
            elements.formUnion(found.elements.coalesced())
        }
        for family in families { elements.formUnion(located.tables[family]?.targets(family) ?? []) }
        lastLook.withLock { $0?.strays = strays }
        return ObservedRules(
            skeleton: faults.isEmpty ? .intact : .damaged(faults), elements: elements, owner: owner)
    }

    /// Whose our rules say they are.
    public func owner() async throws(RuleError) -> RuleOwner? {
        try await locate(families, in: open()).tables.values.lazy.compactMap(\.owner).first
    }
}
