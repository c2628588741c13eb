import IPVSKit
import RuleKit
import Testing

@testable import MeshKit

@Suite struct MeshSpecTests {
    private static let web = PortBinding(1080, .tcp)

    @Test func theFirstMarkIs256AndBothFamiliesShareIt() throws {
        var spec = MeshSpec()
        try spec.publish(Self.web, target: 80, service: "nginx")
        try spec.publish(PortBinding(1081, .tcp), target: 80, service: "nginx")
        #expect(spec.services["nginx"]?.ports.map(\.mark) == [0x100, 0x101])
    }

    @Test func publishingTwiceChangesNothing() throws {
        var spec = MeshSpec()
        try spec.publish(Self.web, target: 80, service: "nginx", options: .init(scheduler: .weightedRoundRobin))
        let once = spec
        try spec.publish(Self.web, target: 80, service: "nginx")
        #expect(spec == once)
    }

    @Test func anotherTargetKeepsTheMark() throws {
        var spec = MeshSpec()
        try spec.publish(Self.web, target: 80, service: "nginx")
        try spec.publish(Self.web, target: 8080, service: "nginx")
        #expect(spec.services["nginx"]?.ports == [PublishedPort(listening: Self.web, target: 8080, mark: 0x100)])
    }

    @Test func aPortHasOneService() throws {
        var spec = MeshSpec()
        try spec.publish(Self.web, target: 80, service: "nginx")
        let before = spec
        #expect(throws: InputError.self) { try spec.publish(Self.web, target: 80, service: "other") }
        #expect(spec == before)
        // The same number of another protocol is another port.
        try spec.publish(PortBinding(1080, .udp), target: 80, service: "other")
    }

    /// To the kernel they are schedulers like others; behind a mark all clients would go to one task.
    @Test(arguments: ["dh", "lblc", "lblcr"] as [Scheduler]) func schedulersByDestination(scheduler: Scheduler) {
        var spec = MeshSpec()
        #expect(throws: InputError.self) {
            try spec.publish(Self.web, target: 80, service: "nginx", options: .init(scheduler: scheduler))
        }
        #expect(spec == MeshSpec())
        #expect(Scheduler.known.contains(scheduler) && !Scheduler.publishable.contains(scheduler))
    }

    @Test func aMarkThatMayNotBeTakenIsNotGiven() throws {
        var spec = MeshSpec()
        try spec.publish(Self.web, target: 80, service: "nginx", avoiding: [0x100, 0x102])
        try spec.publish(PortBinding(1081, .tcp), target: 80, service: "nginx", avoiding: [0x100, 0x102])
        #expect(spec.marks == [0x101, 0x103])
        try spec.unpublish(Self.web)
        #expect(spec.marks == [0x103], "of what is published alone")
        try spec.removeService("nginx")
        #expect(spec == MeshSpec())
    }

    /// One task that says so speaks for all that have its address.
    @Test func addressesBehindANode() throws {
        var spec = MeshSpec()
        try spec.addTask(SpecTask(address: "10.0.0.1", node: "node1"), service: "a")
        try spec.addTask(SpecTask(address: "10.0.0.1"), service: "b")
        try spec.addTask(SpecTask(address: "10.0.0.2", node: "node2"), service: "b")
        try spec.addTask(SpecTask(address: "10.0.0.3"), service: "b")
        #expect(spec.localAddresses(on: "node1") == ["10.0.0.1"])
        #expect(spec.localAddresses(on: "node3") == [])
    }

    @Test func whoPublishesAPort() throws {
        var spec = MeshSpec()
        try spec.publish(Self.web, target: 80, service: "nginx")
        try spec.publish(PortBinding(53, .udp), target: 53, service: "dns")
        #expect(spec.publisher(of: PortBinding(53, .udp))?.name == "dns")
        #expect(spec.publisher(of: PortBinding(53, .tcp)) == nil)
        #expect(spec.bindings(of: .tcp) == [Self.web])
        let port = try #require(spec.publisher(of: Self.web)?.port)
        #expect(port.isFor(SpecTask(address: "fd00::1")))
        let bound = PublishedPort(listening: PortBinding(1080, .tcp, at: "10.0.0.1"), target: 80, mark: 0x100)
        #expect(bound.isFor(SpecTask(address: "10.0.0.2")) && !bound.isFor(SpecTask(address: "fd00::1")))
    }

    @Test(arguments: [
        "a/b", "a b", "", "-a", ".a", "ä", "a\n", String(repeating: "a", count: 300), String(repeating: "a", count: 64),
    ])
    func badNames(name: String) {
        var spec = MeshSpec()
        #expect(throws: InputError.self) { try spec.publish(Self.web, target: 80, service: name) }
        #expect(throws: InputError.self) { try spec.addTask(SpecTask(address: "10.0.0.1"), service: name) }
        #expect(spec == MeshSpec())
    }

    @Test(arguments: ["a", "nginx", "my_stack-web.1", "9", String(repeating: "a", count: 63)])
    func goodNames(name: String) throws {
        var spec = MeshSpec()
        try spec.publish(Self.web, target: 80, service: name)
    }

    @Test(
        arguments: [
            "0.0.0.0", "127.0.0.1", "127.1.2.3", "224.0.0.1", "255.255.255.255", "240.1.1.1", "::", "::1", "ff02::1",
            "fe80::1", "::ffff:10.0.0.1",
        ] as [IPAddress])
    func addressesThatNoTaskHas(address: IPAddress) {
        var spec = MeshSpec()
        #expect(throws: InputError.self) { try spec.addTask(SpecTask(address: address), service: "nginx") }
        #expect(spec == MeshSpec())
    }

    @Test func aTaskAddedAgainIsChanged() throws {
        var spec = MeshSpec()
        try spec.addTask(SpecTask(address: "10.0.0.2"), service: "nginx")
        try spec.addTask(SpecTask(address: "10.0.0.1"), service: "nginx")
        try spec.addTask(SpecTask(address: "10.0.0.2", weight: 5), service: "nginx")
        #expect(
            spec.services["nginx"]?.tasks == [SpecTask(address: "10.0.0.1"), SpecTask(address: "10.0.0.2", weight: 5)])
    }

    /// Bound to an address, a port is of one family.
    @Test func portsThatNobodyCouldReachAreRefused() throws {
        var spec = MeshSpec()
        for (address, allowed): (IPAddress, IPPrefix) in [("10.0.0.1", "fd00::/8"), ("fd00::1", "10.0.0.0/8")] {
            #expect(throws: InputError.self) {
                try spec.publish(
                    PortBinding(1080, .tcp, at: address), target: 80, service: "nginx",
                    options: .init(allowed: [allowed]))
            }
        }
        #expect(throws: InputError.self) {
            try spec.publish(PortBinding(1080, .tcp, at: "fe80::1"), target: 80, service: "nginx")
        }
        #expect(spec == MeshSpec())
    }

    /// The client's address stays where replies come back by the node, as they do from its own addresses.
    @Test func whoseAddressATaskSees() {
        let (local, own): (Set<IPAddress>, Set<IPAddress>) = (["10.0.0.2"], ["10.0.0.1"])
        func hidden(_ sourceIP: SourceIP) -> [Bool] {
            let port = PublishedPort(listening: Self.web, target: 80, mark: 0x100, sourceIP: sourceIP)
            return ["10.0.0.1", "10.0.0.2", "10.0.0.3"].map { port.hidesClient(from: $0, local: local, own: own) }
        }
        #expect(hidden(.auto) == [false, false, true])
        #expect(hidden(.keep) == [false, false, false])
        #expect(hidden(.nat) == [false, true, true])
    }

    @Test func whatIsNotThereCannotBeRemoved() {
        var spec = MeshSpec()
        #expect(throws: InputError.self) { try spec.unpublish(Self.web) }
        #expect(throws: InputError.self) { try spec.removeService("nginx") }
        #expect(throws: InputError.self) { try spec.removeTask("10.0.0.1", service: "nginx") }
    }

    @Test func whatIsNotSaidStays() throws {
        var spec = MeshSpec()
        try spec.publish(
            Self.web, target: 80, service: "nginx",
            options: .init(stickySeconds: 600, allowed: ["10.0.0.0/8", "10.0.0.0/8"], sourceIP: .keep))
        let once = spec
        try spec.publish(Self.web, target: 80, service: "nginx")
        #expect(spec == once)
        let port = try #require(spec.services["nginx"]?.ports.first)
        #expect(port.stickySeconds == 600 && port.allowed == ["10.0.0.0/8"] && port.sourceIP == .keep)
        try spec.publish(
            Self.web, target: 80, service: "nginx", options: .init(stickySeconds: 0, allowed: [], sourceIP: .auto))
        #expect(spec.services["nginx"]?.ports == [PublishedPort(listening: Self.web, target: 80, mark: 0x100)])
    }

    /// Two ports that a packet could be meant by, of which one would get nothing.
    @Test(arguments: [
        PortBinding(1000...2000, .tcp), PortBinding(1080, .tcp, at: "10.0.0.1"), PortBinding(1080...1081, .tcp),
    ])
    func portsThatOverlapAreRefused(binding: PortBinding) throws {
        var spec = MeshSpec()
        try spec.publish(Self.web, target: 80, service: "nginx")
        let before = spec
        #expect(throws: InputError.self) { try spec.publish(binding, target: 80, service: "nginx") }
        #expect(throws: InputError.self) { try spec.publish(binding, target: 80, service: "other") }
        #expect(spec == before)
        #expect(throws: InputError.self) { try spec.unpublish(binding) }
    }

    @Test func onePortAtTwoAddressesIsTwoPorts() throws {
        var spec = MeshSpec()
        try spec.publish(PortBinding(1080, .tcp, at: "10.0.0.1"), target: 80, service: "a")
        try spec.publish(PortBinding(1080, .tcp, at: "10.0.0.2"), target: 80, service: "b")
        try spec.unpublish(PortBinding(1080, .tcp, at: "10.0.0.1"))
        #expect(spec.services["b"]?.ports.count == 1)
    }

    @Test(
        arguments: [("127.0.0.1", 80), ("0.0.0.0", 80), ("::", 80), ("::1", 80), ("224.0.0.1", 80)]
            as [(IPAddress, UInt16)])
    func addressesThatNoPortIsPublishedAt(address: IPAddress, target: UInt16) {
        var spec = MeshSpec()
        #expect(throws: InputError.self) {
            try spec.publish(PortBinding(1080, .tcp, at: address), target: target, service: "nginx")
        }
    }

    /// IPv4 written as IPv6, which no packet carries: refused wherever an address or a network is given, with the form that
    /// is meant.
    @Test(
        arguments: [
            ("::ffff:192.168.5.0/120", "192.168.5.0/24"), ("::ffff:192.168.5.7/120", "192.168.5.0/24"),
            ("::ffff:192.168.5.7", "192.168.5.7/32"), ("::ffff:0:0/96", "0.0.0.0/0"),
            ("::ffff:0:192.168.5.0/120", "192.168.5.0/24"), ("::192.168.5.0/120", "192.168.5.0/24"),
        ] as [(String, String)])
    func ipv4WrittenAsIPv6IsRefused(text: String, form: String) throws {
        let network: IPPrefix = try #require(.init(text))
        var spec = MeshSpec()
        let refusal = #expect(throws: InputError.self) {
            try spec.publish(Self.web, target: 80, service: "nginx", options: .init(allowed: ["10.0.0.0/8", network]))
        }
        #expect(refusal?.description.contains("write it as \(form)") == true, "\(String(describing: refusal))")
        guard network.length == 128 else { return }
        for refusal in [
            #expect(throws: InputError.self) {
                try spec.publish(PortBinding(1080, .tcp, at: network.address), target: 80, service: "nginx")
            },
            #expect(throws: InputError.self) {
                try spec.addTask(SpecTask(address: network.address), service: "nginx")
            },
        ] {
            let address = form.prefix { $0 != "/" }
            #expect(refusal?.description.hasSuffix("write it as \(address)") == true, "\(String(describing: refusal))")
        }
        #expect(spec == MeshSpec())
    }

    /// They would be taken, and let nobody in.
    @Test(
        arguments: [
            "::/80", "::/96", "::fffe:0:0/95", "::/16", "224.0.0.0/4", "ff00::/8", "ff02::1", "240.0.0.0/4",
            "255.255.255.255", "0.0.0.0/8", "0.0.0.0", "::", "fe80::/10", "fe80::1",
        ] as [IPPrefix])
    func networksOfNoClientAreRefused(network: IPPrefix) throws {
        var spec = MeshSpec()
        let refusal = #expect(throws: InputError.self) {
            try spec.publish(Self.web, target: 80, service: "nginx", options: .init(allowed: [network]))
        }
        #expect(refusal?.description.contains("\(network)") == true)
        #expect(spec == MeshSpec())
    }

    @Test(
        arguments: [
            "::/0", "0.0.0.0/0", "::/8", "::1", "127.0.0.1", "127.0.0.0/8", "64:ff9b::/96", "fd00::/8",
            "169.254.0.0/16", "10.1.2.3/8",
        ] as [IPPrefix])
    func networksOfClientsAreTaken(network: IPPrefix) throws {
        var spec = MeshSpec()
        try spec.publish(Self.web, target: 80, service: "nginx", options: .init(allowed: [network]))
        #expect(spec.services["nginx"]?.ports[0].allowed == [network])
    }

    @Test func targetsEndAt65535() throws {
        var spec = MeshSpec()
        #expect(throws: InputError.self) {
            try spec.publish(PortBinding(1000...1001, .tcp), target: 65535, service: "nginx")
        }
        try spec.publish(PortBinding(1000...1001, .tcp), target: 65534, service: "nginx")
    }

    /// Far past what a mesh publishes: no mark twice, none with another program's bits.
    @Test func marksKeepClearOfOthersBits() throws {
        var taken: Set<FirewallMark> = Set((0x100...0x3FF0).compactMap { FirewallMark(rawValue: $0) })
        for _ in 0..<100 {
            let mark = try MarkAllocator.next(avoiding: taken)
            #expect(mark.rawValue & 0x00FF_C000 == 0)
            #expect(taken.insert(mark).inserted)
        }
        #expect(taken.contains(0x3FFF) && taken.contains(0x0100_0000), "goes on above the others' bits")
    }
}
