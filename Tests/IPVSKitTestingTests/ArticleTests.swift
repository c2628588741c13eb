import IPVSKit
import IPVSKitTesting
import SystemPackage
import TestSupport
import Testing

/// Compiles and runs the snippets of the article Testing.
@Suite(.timeLimit(.minutes(1))) struct ArticleTests {
    @Test func theFakeBehaves() async throws {
        let fake = FakeIPVS()
        let web = VirtualService.ID.address("192.168.5.1", port: 80, protocol: .tcp)
        try await fake.client.create(VirtualService(id: web, scheduler: .weightedRoundRobin))
        try await fake.client.create(Destination("10.0.0.11", port: 8080, weight: 2), of: web)

        #expect(
            fake.description == """
                -A -t 192.168.5.1:80 -s wrr
                -a -t 192.168.5.1:80 -r 10.0.0.11:8080 -m -w 2
                """)
        let table = try await fake.client.table()
        #expect(table[web]?.destinations.count == 1)
    }

    @Test func aFaultIsInjected() async throws {
        let fake = FakeIPVS()
        let web = VirtualService.ID.firewallMark(0x102, .ipv4)
        fake.inject(.error(.noMemory), on: .newService)
        let refusal = await #expect(throws: IPVSError.self) {
            try await fake.client.create(VirtualService(id: web))
        }
        #expect(refusal?.errno == .noMemory)
        try await fake.client.create(VirtualService(id: web))
    }

    @Test func anAnswerIsLost() async throws {
        let fake = FakeIPVS()
        let web = VirtualService.ID.firewallMark(0x102, .ipv4)
        let impatient = fake.client(deadline: .seconds(1))
        fake.inject(.lost)
        let result = try await impatient.perform([.createService(VirtualService(id: web))])
        #expect(result[0] == .unknown)
        #expect(fake.description == "-A -f 258 -s rr")
    }

    @Test func theKernelIsAClosure() async throws {
        let ipvs = IPVS(simulating: { request in
            switch request.command {
            case .getService where request.isDump:
                let service = VirtualService(id: .firewallMark(0x102, .ipv4))
                return [.service(VirtualServiceSummary(service: service)), .done]
            case .newDestination:
                #expect(request.destination?.weight == 3)
                return [.acknowledgement]
            default:
                return [.error(.notPermitted)]
            }
        })
        let services = try await ipvs.services()
        #expect(services.map(\.id) == [.firewallMark(0x102, .ipv4)])
        try await ipvs.create(Destination("10.0.0.11", port: 80, weight: 3), of: services[0].id)
        let refusal = await #expect(throws: IPVSError.self) { try await ipvs.flush() }
        #expect(refusal?.code == .notPermitted)
    }

    /// The snippets of the article must be copies of the code above, except the first one, which is from a manifest.
    @Test func theArticleShowsWhatIsTested() throws {
        let article = try Article("Testing", testedIn: FilePath(#filePath))
        #expect(article.snippets.count == 5)
        for snippet in article.snippets.dropFirst() { #expect(article.isTested(snippet), "\(snippet)") }
    }
}
