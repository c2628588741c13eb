import IPVSKit
import SystemPackage
import TestSupport
import Testing

extension KernelTests.SideTests {
    @Test func whatOthersDoToTheTableIsTold() async throws {
        try await Topology.with { topology in
            let namespace = try await topology.namespace("ipvs")
            try await namespace.check("ipvsadm", "-A", "-f", "258", "-s", "wlc")
            let ipvs = try IPVS(in: .named(namespace.name))
            var events = ipvs.events(every: .milliseconds(50)).makeAsyncIterator()
            func next() async throws -> String? { try await events.next()?.description }

            #expect(try await next() == "added service FWM 258: wlc")
            #expect(try await next() == "up to date")
            try await namespace.check("ipvsadm", "-a", "-f", "258", "-r", "10.2.0.1:80", "-m")
            #expect(try await next() == "added destination 10.2.0.1:80 to FWM 258: Masq, weight 1")
            try await namespace.check("ipvsadm", "-e", "-f", "258", "-r", "10.2.0.1:80", "-m", "-w", "5")
            #expect(try await next() == "changed destination 10.2.0.1:80 of FWM 258: weight 5, was 1")
            try await namespace.check("ipvsadm", "-E", "-f", "258", "-s", "rr")
            #expect(try await next() == "changed service FWM 258: rr, was wlc")
            try await namespace.check("ipvsadm", "-C")
            #expect(try await next() == "removed destination 10.2.0.1:80 from FWM 258")
            #expect(try await next() == "removed service FWM 258")
        }
    }

    @Test func countersAreToldAsTheEstimatorBringsThem() async throws {
        try await Self.withServices { host, ipvs in
            var events = ipvs.events(every: .milliseconds(100), counters: true).makeAsyncIterator()
            while try await events.next() != .upToDate {}
            #expect(try await host.client.get("10.1.0.1", port: 80, count: 4).count == 4)
            // The destinations know their connections at once, the service its counters within two seconds.
            var counted: Set<String> = []
            while counted.count < 3, let event = try await events.next() {
                switch event {
                case .serviceCounted(let new, _, Self.web): if new.connections == 4 { counted.insert("service") }
                case .destinationCounted(let new, _, Self.web):
                    if new.activeConnections + new.inactiveConnections == 2 { counted.insert("\(new.id)") }
                case .serviceCounted, .destinationCounted: break
                default: Issue.record("\(event)")
                }
            }
            #expect(counted == ["service", "10.11.0.2:80", "10.12.0.2:80"])
        }
    }

    @Test func theExampleLiveTableShowsWhatIpvsadmShows() async throws {
        try await Self.withServices { host, ipvs in
            #expect(try await host.client.get("10.1.0.1", port: 80, count: 40).count == 40)
            #expect(try await host.client.get("fd01::1", port: 80, count: 40).count == 40)
            func rate(_ id: VirtualService.ID) async throws -> UInt64 {
                try await ipvs.service(id).statistics.connectionRate
            }
            for _ in 0..<100 {
                if try await rate(Self.web) > 0, try await rate(Self.web6) > 0 { break }
                try await Task.sleep(for: .milliseconds(100))
            }
            // Otherwise the rates would change between the two readings.
            try await ipvs.set(.runEstimation, to: false)
            try await Task.sleep(for: .milliseconds(500))

            let theirs = try await host.node.check("ipvsadm", "-Ln", "--rate")
            let ours = try await host.node.check(try BuiltProducts.path("live-table"), "--once")
            #expect(ours == theirs)
            #expect(ours.contains(/TCP  10\.1\.0\.1:80 +[1-9]/) && ours.contains(/TCP  \[fd01::1\]:80 +[1-9]/))
            #expect(ours.contains("FWM  258 IPv6 "))
        }
    }

    @Test func theExampleWatchSaysWhatHappens() async throws {
        try await Topology.with { topology in
            let namespace = try await topology.namespace("ipvs")
            let example = try BuiltProducts.path("watch")
            let output = topology.directory.appending("watched")
            async let ended = namespace.run(["sh", "-c", "exec \(example) --count 5 >\(output)"])
            func lines(_ count: Int) async throws -> [String] {
                var lines: [String] = []
                for _ in 0..<300 {
                    lines = ((try? output.text()) ?? "").split(separator: "\n").map(String.init)
                    if lines.count >= count { break }
                    try await Task.sleep(for: .milliseconds(100))
                }
                return lines
            }
            #expect(try await lines(1) == ["up to date"])
            try await namespace.check("ipvsadm", "-A", "-t", "10.1.0.1:80", "-s", "rr")
            #expect(try await lines(2).last == "added service TCP 10.1.0.1:80: rr")
            try await namespace.check("ipvsadm", "-a", "-t", "10.1.0.1:80", "-r", "10.2.0.1:80", "-m", "-w", "0")
            #expect(try await lines(3).last == "added destination 10.2.0.1:80 to TCP 10.1.0.1:80: Masq, weight 0")
            try await namespace.check("ipvsadm", "-C")
            #expect(
                try await lines(5).suffix(2) == [
                    "removed destination 10.2.0.1:80 from TCP 10.1.0.1:80", "removed service TCP 10.1.0.1:80",
                ])
            #expect(try await ended.status == 0)
        }
    }
}
