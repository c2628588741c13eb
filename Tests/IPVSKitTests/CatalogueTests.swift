import IPVSKit
import SystemPackage
import TestSupport
import Testing

/// The snippets of the articles in IPVSKit's catalogue. They are compiled here and never run, so that every symbol they
/// show exists. The snippets of the article on testing are run by `ArticleTests`.
@Suite struct CatalogueTests {
    private func overview() async throws {
        let ipvs = try IPVS()
        let web = VirtualService.ID.address("192.168.5.1", port: 80, protocol: .tcp)
        try await ipvs.perform([
            .createService(VirtualService(id: web, scheduler: .roundRobin)),
            .createDestination(Destination("10.0.0.11", port: 8080), of: web),
            .createDestination(Destination("10.0.0.12", port: 8080), of: web),
        ]).get()
    }

    private func gettingStarted() async throws {
        let ipvs = try IPVS()
        let web = VirtualService.ID.address("192.168.5.1", port: 80, protocol: .tcp)

        let found = try await ipvs.table()
        var wanted = found
        wanted[web] = Table.Entry(
            VirtualService(id: web, scheduler: .weightedRoundRobin),
            destinations: [Destination("10.0.0.11", port: 8080), Destination("10.0.0.12", port: 8080, weight: 2)])

        try await ipvs.perform(Table.changes(from: found, to: wanted)).get()

        try await ipvs.modify(Destination.ID("10.0.0.11", port: 8080), of: web) { $0.weight = 0 }
        try await ipvs.modify(web) { $0.scheduler = .maglevHashing }
        try await ipvs.update(web, setting: .hashFallback)
        switch try await ipvs.drain(.init("10.0.0.11", port: 8080), of: web, within: .seconds(60)) {
        case .removed: print("no connection is left, and the destination is gone")
        case .connectionsLeft(let count): print("\(count) connections are left, and the destination gets no new ones")
        }
    }

    private func networkNamespaces() throws {
        let host = try IPVS()  // the calling thread's
        let sandbox = try IPVS(in: .named("ingress_sbox"))  // made by `ip netns add`
        let container = try IPVS(in: .pid(4211))
        let mounted = try IPVS(in: .path("/run/docker/netns/1-abc"))
        sandbox.close()
        _ = (host, sandbox, container, mounted)
    }

    private func errors(_ ipvs: IPVS, _ web: VirtualService.ID) async throws {
        do {
            try await ipvs.delete(web)
        } catch let error where error.code == .serviceNotFound {
            // It is gone: as it should be.
        }
        do {
            try await ipvs.delete(web)
        } catch let error where error.code == .cancelled {
            // The task was cancelled. Whether the service is gone is not known.
        }
    }

    @Test(arguments: [("IPVSKit", 1), ("GettingStarted", 4), ("NetworkNamespaces", 2), ("Errors", 2)])
    func articlesShowWhatIsCompiled(name: String, count: Int) throws {
        let article = try Article(name, testedIn: FilePath(#filePath))
        let snippets = article.snippets.filter { !$0.hasPrefix(".package") }  // A manifest's.
        #expect(snippets.count == count)
        for snippet in snippets { #expect(article.isTested(snippet), "\(snippet)") }
    }
}
