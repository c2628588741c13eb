import FakeKernel
import FoundationEssentials
import IPVSKit
import RuleKit
import Testing

@testable import MeshKit

/// Which paths retire, as a function of ledger, observed connections and time.
@Suite struct RetirementTests {
    private static let mark: FirewallMark = 0x100
    private static let task: IPAddress = "10.0.0.11"
    private static let now = BootTime(nanoseconds: 60_000_000_000)
    private static let before = BootTime(nanoseconds: 50_000_000_000)

    private static func spec(target: UInt16, _ transport: TransportProtocol = .tcp) throws -> MeshSpec {
        var spec = MeshSpec()
        try spec.addTask(SpecTask(address: task), service: "nginx")
        try spec.publish(PortBinding(1080, transport), target: target, service: "nginx")
        return spec
    }

    /// A ledger that holds the port's path, and perhaps a path that retires since ``before``.
    private static func ledger(
        _ targets: [UInt16], retiring: [UInt16] = [], until: BootTime? = nil, _ transport: TransportProtocol = .tcp
    ) -> Ledger {
        var ledger = Ledger(node: "node1")
        func ids(_ ports: [UInt16]) -> Set<Destination.ID> { Set(ports.map { Destination.ID(task, port: $0) }) }
        let binding = PortBinding(1080, transport)
        ledger[.node].marks[mark] = OwnedMark(binding: binding, destinations: ids(targets))
        if !retiring.isEmpty {
            ledger[.node].retiring = [
                RetiringPath(
                    mark: mark, binding: binding, destinations: ids(retiring), since: before, until: until)
            ]
        }
        return ledger
    }

    /// A kernel with destinations at some ports of the task, and the connections of each.
    private static func kernel(_ connections: [UInt16: Int?]) -> ObservedDatapath {
        let id = VirtualService.ID.firewallMark(mark, .ipv4)
        var found = ObservedDatapath()
        found[.node].table[id] = Table.Entry(
            VirtualService(id: id), destinations: connections.keys.map { Destination(task, port: $0) })
        for case (let port, let count?) in connections {
            found[.node].connections[RetiringDestination(.init(task, port: port), of: id)] = count
        }
        return found
    }

    private static func ports(
        _ spec: MeshSpec, _ ledger: Ledger, _ found: ObservedDatapath, _ cut: ConnectionCut = .none
    ) -> [UInt16] {
        Retirement(spec: spec, former: spec, cut: cut, now: now).applied(to: ledger, in: found)[.node].retiring
            .flatMap { $0.destinations.map(\.port) }.sorted()
    }

    @Test func whatThePortLeavesBehindRetires() throws {
        let (spec, ledger) = (try Self.spec(target: 81), Self.ledger([80]))
        let retired = Retirement(spec: spec, former: spec, cut: .none, now: Self.now)
            .applied(to: ledger, in: Self.kernel([80: nil]))
        let path = try #require(retired[.node].retiring.first)
        #expect(path.since == Self.now && path.until == nil && path.mark == Self.mark && path.tasks == [])
        #expect(path.destinations == [Destination.ID(Self.task, port: 80)])
        // Not what is not in the kernel, nor what the port still leads to.
        #expect(Self.ports(spec, ledger, Self.kernel([:])) == [])
        #expect(Self.ports(try Self.spec(target: 80), ledger, Self.kernel([80: nil])) == [])
    }

    @Test func itStaysWhileThereAreConnectionsOrNobodyCounted() throws {
        let (spec, ledger) = (try Self.spec(target: 81), Self.ledger([81], retiring: [80]))
        #expect(Self.ports(spec, ledger, Self.kernel([80: 1, 81: nil])) == [80])
        #expect(Self.ports(spec, ledger, Self.kernel([80: nil, 81: nil])) == [80])
        #expect(Self.ports(spec, ledger, Self.kernel([80: 0, 81: nil])) == [])
        #expect(Self.ports(spec, ledger, Self.kernel([81: nil])) == [], "somebody has removed it")
    }

    @Test func itEndsInTimeOrOnDemand() throws {
        let spec = try Self.spec(target: 81)
        let found = Self.kernel([80: 5, 81: nil])
        func until(_ time: UInt64) -> Ledger {
            Self.ledger([81], retiring: [80], until: BootTime(nanoseconds: time * 1_000_000_000))
        }
        #expect(Self.ports(spec, until(61), found) == [80])
        #expect(Self.ports(spec, until(60), found) == [])
        let ledger = Self.ledger([81], retiring: [80])
        for cut in [ConnectionCut.all, .service("nginx"), .ports([PortBinding(1080, .tcp)])] {
            #expect(Self.ports(spec, ledger, found, cut) == [], "\(cut)")
            #expect(Self.ports(spec, Self.ledger([80]), found, cut) == [], "\(cut), before it begins")
        }
        for cut in [ConnectionCut.none, .service("dns"), .ports([PortBinding(1081, .tcp)])] {
            #expect(Self.ports(spec, ledger, found, cut) == [80], "\(cut)")
        }
    }

    /// What leaves the mesh whole retires, too, but for flows of UDP: they would stay for good.
    @Test(arguments: [TransportProtocol.tcp, .udp, .sctp]) func whatLosesItsPortOrItsTaskRetires(
        transport: TransportProtocol
    ) throws {
        var spec = try Self.spec(target: 81, transport)
        try spec.addTask(SpecTask(address: "10.0.0.12"), service: "nginx")
        try spec.removeTask(Self.task, service: "nginx")
        let found = Self.kernel([80: 5, 81: nil])
        let isUDP = transport == .udp
        for spec in [spec, MeshSpec()] {
            #expect(Self.ports(spec, Self.ledger([80], transport), found) == (isUDP ? [] : [80]))
            #expect(Self.ports(spec, Self.ledger([81], retiring: [80], transport), found) == (isUDP ? [] : [80, 81]))
        }
    }

    /// The port says for how long, also one that leaves, and the time begins with the retirement.
    @Test func thePortSaysForHowLong() throws {
        for limit in [DrainLimit.unlimited, .seconds(5), .seconds(0)] {
            var former = try Self.spec(target: 80)
            try former.setOptions(.init(drain: limit), ofService: "nginx")
            var without = former
            try without.removeTask(Self.task, service: "nginx")
            var other = former
            try other.publish(PortBinding(1080, .tcp), target: 81, service: "nginx")
            for spec in [without, other, MeshSpec()] {
                let retiring = Retirement(spec: spec, former: former, cut: .none, now: Self.now)
                    .applied(to: Self.ledger([80]), in: Self.kernel([80: 3]))[.node].retiring
                guard limit != .seconds(0) else {
                    #expect(retiring == [])
                    continue
                }
                #expect(retiring.map(\.until) == [limit == .unlimited ? nil : Self.now.advanced(bySeconds: 5)])
            }
        }
    }

    /// A task that drains keeps its path, with connections or without, until it leaves; a UDP port has no such path.
    @Test func aTaskThatDrainsKeepsItsPath() throws {
        var spec = try Self.spec(target: 80)
        try spec.drain(.address(Self.task), service: "nginx")
        for cut in [ConnectionCut.none, .all] {
            #expect(Self.ports(spec, Self.ledger([80]), Self.kernel([80: nil]), cut) == [80])
            let past = Self.ledger([], retiring: [80], until: Self.now)
            for count in [0, 3, nil] as [Int?] {
                #expect(Self.ports(spec, past, Self.kernel([80: count]), cut) == [80])
            }
            #expect(Self.ports(spec, past, Self.kernel([:]), cut) == [80], "it is put up again")
        }
        let past = Self.ledger([], retiring: [80])
        var without = spec
        try without.removeTask(Self.task, service: "nginx")
        #expect(Self.ports(without, past, Self.kernel([80: 3])) == [80])
        #expect(Self.ports(without, past, Self.kernel([80: 0])) == [])
        try spec.undrain(.address(Self.task), service: "nginx")
        #expect(Self.ports(spec, past, Self.kernel([80: 3])) == [], "it serves")
        var udp = try Self.spec(target: 80, .udp)
        try udp.drain(.address(Self.task), service: "nginx")
        #expect(Self.ports(udp, Self.ledger([80], .udp), Self.kernel([80: 3])) == [])
    }

    /// The command that removes a task cuts its connections, and nobody else's.
    @Test func aCutConcernsItsTasks() throws {
        let other: IPAddress = "10.0.0.12"
        var former = try Self.spec(target: 80)
        try former.addTask(SpecTask(address: other), service: "nginx")
        var ledger = Self.ledger([80])
        ledger[.node].marks[Self.mark]?.destinations.insert(.init(other, port: 80))
        var found = Self.kernel([80: 1])
        found[.node].table[.firewallMark(Self.mark, .ipv4)]?[.init(other, port: 80)] = Destination(other, port: 80)
        let left = Retirement(
            spec: MeshSpec(), former: former, cut: .tasks(.address(other), service: "nginx"), now: Self.now
        ).applied(to: ledger, in: found)[.node].retiring
        #expect(left.map(\.destinations) == [[.init(Self.task, port: 80)]])
        for cut in [ConnectionCut.service("nginx"), .ports([PortBinding(1080, .tcp)]), .all] {
            let left = Retirement(spec: MeshSpec(), former: former, cut: cut, now: Self.now).applied(
                to: ledger, in: found)
            #expect(left[.node].retiring == [], "\(cut), of a port that has left")
        }
    }

    /// A document keeps everything that the next process needs.
    @Test func theLedgerKeepsIt() throws {
        var ledger = Ledger(node: "node1")
        ledger[.node].retiring = [
            RetiringPath(
                mark: Self.mark, binding: PortBinding(2000...2009, .sctp), targets: 3000...3009,
                destinations: [.init(Self.task, port: 0)],
                tasks: [SpecTask(address: Self.task, isDraining: true)], since: Self.before, until: Self.now)
        ]
        let bytes = try JSONEncoder().encode(ledger)
        #expect(try JSONDecoder().decode(Ledger.self, from: bytes) == ledger)
    }

    /// conntrack would go on sending datagrams to a path that ends with flows.
    @Test func flowsThatAreCutAreForgotten() throws {
        let spec = try Self.spec(target: 81, .udp)
        let ledger = Self.ledger([81], retiring: [80], .udp)
        func stale(_ cut: ConnectionCut, _ count: Int?) -> Set<PortBinding> {
            Retirement(spec: spec, former: spec, cut: cut, now: Self.now)
                .applied(to: ledger, in: Self.kernel([80: count, 81: nil]))[.node].staleFlows
        }
        #expect(stale(.all, 1) == [PortBinding(1080, .udp)])
        #expect(stale(.none, 1) == [] && stale(.none, 0) == [])
    }
}
