import IPVSKit
import RuleKit
import Testing

@testable import MeshKit

/// When tasks are probed, and what becomes of the answers, without a clock.
@Suite struct HealthBookTests {
    private let start = ContinuousClock.now
    private var book = HealthBook()
    private var spec = MeshSpec()

    init() throws {
        try spec.publish(PortBinding(1080, .tcp), target: 80, service: "web")
        try spec.addTask(SpecTask(address: "10.0.0.11"), service: "web")
        try spec.addTask(SpecTask(address: "10.0.0.12"), service: "web")
        var check = HealthCheck(.tcp)
        (check.interval, check.rise, check.fall) = (5, 2, 3)
        try spec.setOptions(PublishOptions(healthCheck: check), ofService: "web")
    }

    /// Answers all probes that are due.
    @discardableResult
    private mutating func answer(
        after seconds: Int, _ answer: (IPAddress) -> HealthAnswer
    ) -> [HealthBook.Change] {
        book.begin(at: start + .seconds(seconds)).sorted { $0.task < $1.task }
            .compactMap { book.take(answer($0.task), to: $0) }
    }

    @Test mutating func aTaskFallsAndRises() {
        book.take(spec, unhealthy: [:], at: start)
        #expect(book.unhealthy == [:])
        let fails: (IPAddress) -> HealthAnswer = { $0 == "10.0.0.11" ? .bad("refused") : .good }
        #expect(answer(after: 0, fails) == [])
        #expect(answer(after: 4, fails) == [], "nothing is due")
        #expect(answer(after: 5, fails) == [])
        let key = HealthBook.Key(service: "web", task: "10.0.0.11")
        let unknown = answer(after: 10) { $0 == "10.0.0.11" ? .unknown("no descriptors") : .good }
        #expect(unknown == [.init(key: key, verdict: .unknown("no descriptors"))])
        #expect(answer(after: 15, fails) == [.init(key: key, verdict: .bad("refused"))])
        #expect(book.unhealthy == ["web": ["10.0.0.11"]])
        #expect(answer(after: 20) { _ in .good } == [])
        #expect(answer(after: 25, fails) == [], "once good and once bad is nothing in a row")
        #expect(answer(after: 30) { _ in .good } == [])
        #expect(answer(after: 35) { _ in .good } == [.init(key: key, verdict: .good)])
        #expect(book.unhealthy == [:])
    }

    /// After a start the ledger's word holds. Tasks that are found later have to show that they serve; of those that the
    /// operator adds, the operator has said it, and they fail as others do.
    @Test mutating func tasksThatAreNew() throws {
        book.take(spec, unhealthy: ["web": ["10.0.0.12"], "gone": ["10.0.0.9"]], at: start)
        #expect(book.unhealthy == ["web": ["10.0.0.12"]])
        try spec.addTask(SpecTask(address: "10.0.0.13", origin: Origin("docker", on: "node1")), service: "web")
        try spec.addTask(SpecTask(address: "10.0.0.14"), service: "web")
        book.take(spec, unhealthy: [:], at: start)
        #expect(book.unhealthy == ["web": ["10.0.0.12", "10.0.0.13"]])
        let changes = answer(after: 0) { $0 == "10.0.0.13" ? .good : .bad("refused") }
        #expect(changes.map(\.key.task) == ["10.0.0.13"], "the first answer counts")
        #expect(book.unhealthy == ["web": ["10.0.0.12"]])
        try spec.removeTask("10.0.0.12", service: "web")
        book.take(spec, unhealthy: [:], at: start)
        #expect(book.unhealthy == [:])
    }

    /// A service gets its first check while it serves: nobody is sent away before the first answers.
    @Test mutating func tasksThatServedBeforeTheCheck() throws {
        spec.services["web"]!.tasks[0].origin = Origin("docker", on: "node1")
        let check = spec.services["web"]!.healthCheck
        spec.services["web"]!.healthCheck = nil
        book.take(spec, unhealthy: [:], at: start)
        spec.services["web"]!.healthCheck = check
        book.take(spec, unhealthy: [:], at: start)
        #expect(book.unhealthy == [:])
    }

    /// Where nobody can look, a new task is used after a while.
    @Test mutating func aTaskThatCannotBeProbed() throws {
        book.take(MeshSpec(), unhealthy: [:], at: start)
        for index in 0..<2 { spec.services["web"]!.tasks[index].origin = Origin("docker", on: "node1") }
        book.take(spec, unhealthy: [:], at: start)
        for number in 0..<3 {
            #expect(book.unhealthy == ["web": ["10.0.0.11", "10.0.0.12"]])
            let changes = answer(after: 5 * number) { _ in .unknown("not permitted") }
            #expect(changes.count == (number == 0 ? 2 : 0))
        }
        #expect(book.unhealthy == [:])
    }

    @Test mutating func aCheckThatIsChanged() throws {
        book.take(spec, unhealthy: [:], at: start)
        let under = book.begin(at: start)
        #expect(under.map(\.port) == [80, 80])
        #expect(book.due == nil)
        try spec.setOptions(PublishOptions(healthCheck: .some(try HealthCheck("http:/x,port=81"))), ofService: "web")
        book.take(spec, unhealthy: [:], at: start)
        for probe in under { #expect(book.take(.bad("refused"), to: probe) == nil) }
        #expect(book.begin(at: start).map(\.port) == [81, 81])
        try spec.setOptions(PublishOptions(healthCheck: .some(nil)), ofService: "web")
        book.take(spec, unhealthy: [:], at: start)
        #expect(book.due == nil && book.unhealthy == [:])
    }

    /// Attached tasks are probed in their network from the sandbox; a check of UDP takes a port of UDP.
    @Test mutating func whereTasksAreProbed() throws {
        spec = MeshSpec()
        try spec.ensureIngress(node: "node1", avoiding: HostNetworks())
        let task = try spec.attach(
            TaskAttachmentRequest(namespace: "/run/netns/a", inode: 1, node: "node1"), service: "web")
        try spec.publish(PortBinding(1053, .udp), target: 53, service: "web")
        try spec.setOptions(PublishOptions(healthCheck: .some(HealthCheck(.tcp))), ofService: "web")
        book.take(spec, unhealthy: [:], at: start)
        #expect(book.due == nil, "no port of TCP")
        try spec.setOptions(PublishOptions(healthCheck: .some(HealthCheck(.udp))), ofService: "web")
        book.take(spec, unhealthy: [:], at: start)
        let probes = book.begin(at: start)
        #expect(probes.map(\.place) == [.sandbox])
        #expect(probes.map(\.address) == [task.address] && probes.map(\.port) == [53])
    }

    @Test func aSpecIsJudgedByServicesWithChecksOnly() throws {
        var spec = spec
        try spec.addTask(SpecTask(address: "10.0.0.11"), service: "other")
        let judged = spec.judging(["web": ["10.0.0.11"], "other": ["10.0.0.11"], "gone": ["10.0.0.11"]])
        #expect(judged.services["web"]?.tasks.map(\.isUnhealthy) == [true, false])
        #expect(judged.services["other"]?.tasks.map(\.isUnhealthy) == [false])
    }
}
