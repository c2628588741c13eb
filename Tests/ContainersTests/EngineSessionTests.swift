import MeshKit
import Testing

@testable import Containers

/// What counts while an engine is asked: events at once, and answers unless they are older than what they answer.
@Suite struct EngineSessionTests {
    private var session = EngineSession(ContainerBook())
    private var now = ContinuousClock.now

    private static func container(_ name: String, process: Int32 = 7, on network: String? = nil) -> ContainerInspection
    {
        let endpoint = ContainerInspection.Endpoint(address4: "172.17.0.2", network: network ?? "bridge")
        return ContainerInspection(
            name: "/\(name)", state: .init(running: true, process: process), config: .init(),
            networkSettings: .init(networks: ["net": endpoint]))
    }

    private mutating func tell(_ action: String, _ id: String) throws {
        let attributes = action == "kill" ? #""signal":"15""# : ""
        let event =
            #"{"Type":"container","Action":"\#(action)","Actor":{"ID":"\#(id)","Attributes":{\#(attributes)}}}"#
        try session.take(Array("\(event)\n".utf8), at: now)
    }

    private mutating func list(_ names: String...) {
        session.take(
            .list(Dictionary(uniqueKeysWithValues: names.map { ($0, Self.container($0)) }), networks: []), at: now)
    }

    private mutating func answer(_ name: String, _ found: ContainerInspection?, networks: [EngineNetwork]? = nil) {
        session.take(.container(name, .success(found), networks: networks), at: now)
    }

    private mutating func answer(_ name: String) { answer(name, Self.container(name)) }

    /// A session that knows the containers `a` and `b`.
    private mutating func begin() {
        session.askForAll()
        #expect(session.questions() == [.list])
        #expect(session.news() == nil)
        list("a", "b")
        #expect(session.questions() == [.container("a"), .container("b")])
        answer("a")
        #expect(session.news() == nil, "one of them was not looked at yet")
        answer("b")
        #expect(session.news()?.map(\.name) == ["a", "b"])
        #expect(session.news() == nil)
    }

    @Test mutating func aStopCountsWhileOthersAreLookedAt() throws {
        begin()
        session.askForAll()
        #expect(session.questions() == [.list])
        for number in 1...17 { try tell("health_status: healthy", "hung\(number)") }
        #expect(session.questions().count == 8)
        try tell("kill", "a")
        #expect(session.news()?.map(\.name) == ["b"])
        try tell("die", "b")
        #expect(session.news()?.map(\.name) == [])
    }

    /// The look began while the container ran, and its answer comes when it has ended.
    @Test(arguments: ["kill", "die", "pause"])
    mutating func anAnswerThatIsOlderThanTheEnd(action: String) throws {
        begin()
        try tell("health_status: healthy", "a")
        #expect(session.questions() == [.container("a")])
        try tell(action, "a")
        answer("a")
        #expect(session.news()?.map(\.name) == ["b"])
        #expect(session.questions() == [])
        try tell("start", "a")
        #expect(session.questions() == [.container("a")])
        try tell("health_status: healthy", "a")
        answer("a", Self.container("a", process: 8))
        #expect(session.news()?.map(\.namespace) == ["/proc/8/ns/net", "/proc/7/ns/net"])
        #expect(session.questions() == [.container("a")], "it has changed since")
    }

    /// What the engine tells while it makes a list is newer than the list.
    @Test mutating func aListThatIsOlderThanEvents() throws {
        begin()
        session.askForAll()
        #expect(session.questions() == [.list])
        session.askForAll()
        #expect(session.questions() == [], "one list at a time")
        try tell("start", "new")
        try tell("die", "a")
        #expect(session.questions() == [.container("new")])
        answer("new")
        list("a")
        #expect(session.questions() == [], "a has ended, b is not in the list, and new is looked at already")
        #expect(session.news()?.map(\.name) == ["new"])
    }

    /// Before all containers were looked at for the first time, those that were not stay as they are.
    @Test mutating func aStopBeforeTheFirstReport() throws {
        session.askForAll()
        _ = session.questions()
        try tell("kill", "a")
        #expect(session.news() == nil, "nobody knows which containers there are")
        list("a", "b", "c")
        #expect(session.news()?.map(\.name) == ["b", "c"])
        _ = session.questions()
        answer("b")
        let tasks = session.news() ?? []
        #expect(tasks.map(\.isOnlyListed) == [false, true] && tasks.allSatisfy(\.faults.isEmpty))
    }

    /// An engine that hangs on a container may hang on many, and nobody waits for all of them.
    @Test mutating func aLookThatFailsBeforeTheFirstReport() throws {
        session.askForAll()
        _ = session.questions()
        list("a", "b")
        _ = session.questions()
        session.take(.container("a", .failure(ContainerError(.failed, "it hangs")), networks: nil), at: now)
        let tasks = session.news() ?? []
        #expect(tasks.map(\.isOnlyListed) == [true, true] && tasks.map(\.faults.count) == [1, 0])
    }

    /// The networks of an answer that took longer do not hide those of a newer one.
    @Test mutating func networksThatComeLate() throws {
        begin()
        let overlay = EngineNetwork(id: "new", driver: "overlay", scope: "swarm")
        try tell("start", "c")
        _ = session.questions()
        answer("c", Self.container("c", on: "new"), networks: [overlay])
        #expect(session.news()?.last?.addresses == [])
        session.askForAll()
        #expect(session.questions() == [.list])
        list("a", "b", "c")
        #expect(session.book.tasks.last?.addresses == [])
    }
}
