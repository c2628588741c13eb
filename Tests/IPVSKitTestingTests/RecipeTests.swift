import IPVSKit
import IPVSKitTesting
import SystemPackage
import TestSupport
import Testing

/// Compiles and runs the snippets of the article Recipes.
@Suite(.timeLimit(.minutes(1))) struct RecipeTests {
    private static let mine = VirtualService.ID.firewallMark(0x100, .ipv4)
    private static let gone = VirtualService.ID.firewallMark(0x101, .ipv4)
    private static let theirs = VirtualService.ID.firewallMark(0x200, .ipv4)
    private static let address = VirtualService.ID.address("192.168.5.1", port: 80, protocol: .tcp)

    /// Makes the services of one owner be as wanted. Those that it wants no more are deleted, and nobody else's.
    func converge(_ ipvs: IPVS, to wanted: Table, isMine: (VirtualService.ID) -> Bool) async throws {
        let found = try await ipvs.table().filter(isMine)
        try await ipvs.perform(Table.changes(from: found, to: wanted.filter(isMine))).get()
    }

    private func fake() async throws -> FakeIPVS {
        let fake = FakeIPVS()
        for id in [Self.mine, Self.gone, Self.theirs, Self.address] {
            try await fake.client.create(VirtualService(id: id))
            try await fake.client.create(Destination("10.0.0.1", port: 0), of: id)
        }
        return fake
    }

    private static let wanted = Table([
        .init(VirtualService(id: mine, scheduler: .sourceHashing), destinations: [Destination("10.0.0.2", port: 0)])
    ])

    private static let after = """
        -A -t 192.168.5.1:80 -s rr
        -a -t 192.168.5.1:80 -r 10.0.0.1:0 -m -w 1
        -A -f 256 -s sh
        -a -f 256 -r 10.0.0.2:0 -m -w 1
        -A -f 512 -s rr
        -a -f 512 -r 10.0.0.1:0 -m -w 1
        """

    @Test func whatIsMineByARuleIsDeletedAndNothingElse() async throws {
        let fake = try await fake()
        let (ipvs, wanted) = (fake.client, Self.wanted)
        let marks = FirewallMark(rawValue: 0x100)!...FirewallMark(rawValue: 0x1FF)!
        try await converge(ipvs, to: wanted) { id in id.firewallMark.map(marks.contains) ?? false }
        #expect(fake.description == Self.after)
    }

    @Test func whatIsMineByMemoryIsDeletedAndNothingElse() async throws {
        let fake = try await fake()
        let (ipvs, wanted) = (fake.client, Self.wanted)
        var remembered = try await ipvs.table().filter { [Self.mine, Self.gone].contains($0) }.ipvsadm
        let before = try Table(ipvsadm: remembered)
        let mine = Set(before.entries.keys).union(wanted.entries.keys)
        remembered = Table(Array(before.entries.values) + wanted.entries.values).ipvsadm
        try await converge(ipvs, to: wanted, isMine: mine.contains)
        remembered = wanted.ipvsadm
        #expect(fake.description == Self.after)
        #expect(remembered == "-A -f 256 -s sh\n-a -f 256 -r 10.0.0.2:0 -m -w 1")
    }

    @Test func aTableIsText() throws {
        let table = try Table(
            ipvsadm: """
                -A -t 192.168.5.1:80 -s wrr
                -a -t 192.168.5.1:80 -r 10.0.0.11:8080 -m -w 2
                """)
        print(table.ipvsadm)
        print(table)  // TCP 192.168.5.1:80 wrr, and below it "  -> 10.0.0.11:8080 Masq 2"
        #expect(table[Self.address]?.destinations[.init("10.0.0.11", port: 8080)]?.weight == 2)
    }

    @Test func everythingIsGoneThrough() async throws {
        let ipvs = try await fake().client
        let changes: [Change] = [.deleteService(Self.gone), .deleteService(Self.gone)]
        for (change, outcome) in try await ipvs.perform(changes).outcomes where outcome != .done {
            print(change, outcome)
        }
        for (service, destination) in try await ipvs.status().destinations where destination.activeConnections == 0 {
            print(service.id, destination.id)
        }
        #expect(try await ipvs.table()[Self.gone] == nil)
        let result = try await ipvs.perform(changes)
        #expect(result.outcomes.count { $0.outcome != .done } == 2, "the service is gone already")
    }

    /// The snippets of the article must be copies of the code above.
    @Test func theArticleShowsWhatIsTested() throws {
        let article = try Article("Recipes", testedIn: FilePath(#filePath))
        #expect(article.snippets.count == 6)
        for snippet in article.snippets { #expect(article.isTested(snippet), "\(snippet)") }
    }
}
