import Testing

@testable import Containers

/// Events of Docker and Podman, and lines that are none.
@Suite struct ContainerEventTests {
    private func event(_ line: String, stopSignal: String? = nil) throws -> ContainerEvent? {
        try ContainerEvent(line: line.utf8) { _ in stopSignal }
    }

    private static func docker(_ action: String, _ attributes: String = "") -> String {
        #"{"status":"\#(action)","id":"4f6a","Type":"container","Action":"\#(action)","Actor":{"ID":"4f6a","Attributes":{\#(attributes)}},"time":1}"#
    }

    @Test(
        arguments: [
            ("start", ContainerEvent.Kind.starts), ("restart", .starts), ("die", .isGone), ("stop", .isGone),
            ("destroy", .isGone), ("pause", .isGone), ("unpause", .changes), ("health_status: healthy", .changes),
            ("health_status: unhealthy", .changes), ("rename", .changes), ("update", .changes),
            ("create", nil), ("exec_create: sh -c true", nil), ("exec_start: sh", nil), ("attach", nil), ("oom", nil),
            ("top", nil), ("kill", .changes),
        ] as [(String, ContainerEvent.Kind?)])
    func whatEachActionMeans(action: String, kind: ContainerEvent.Kind?) throws {
        let found = try event(Self.docker(action))
        #expect(found == kind.map { ContainerEvent(container: "4f6a", kind: $0) })
    }

    /// `docker stop` sends the image's stop signal; `docker kill -s HUP` makes servers read their configuration.
    @Test(
        arguments: [
            ("10", "SIGUSR1", true), ("28", "SIGWINCH", true), ("37", "SIGRTMIN+3", true), ("3", nil, false),
            ("2", nil, false), ("SIGINT", "SIGINT", true), ("nonsense", "nonsense", false),
            ("15", nil, true), ("9", nil, true), ("3", "SIGQUIT", true), ("SIGTERM", nil, true), ("TERM", nil, true),
            ("1", nil, false), ("SIGHUP", nil, false), ("10", nil, false), ("SIGUSR1", "SIGUSR1", true),
            ("USR1", "SIGUSR1", true), ("37", "37", true), ("37", nil, false),
        ] as [(String, String?, Bool)])
    func whichSignalsEndAContainer(signal: String, stopSignal: String?, ends: Bool) throws {
        let found = try event(Self.docker("kill", #""signal":"\#(signal)""#), stopSignal: stopSignal)
        #expect(found == (ends ? ContainerEvent(container: "4f6a", kind: .stops) : nil))
    }

    @Test func networksOfContainers() throws {
        let line =
            #"{"Type":"network","Action":"connect","Actor":{"ID":"9c","Attributes":{"container":"4f6a","name":"front"}}}"#
        #expect(try event(line) == ContainerEvent(container: "4f6a", kind: .changes))
        #expect(try event(#"{"Type":"network","Action":"create","Actor":{"ID":"9c","Attributes":{}}}"#) == nil)
        #expect(try event(#"{"Type":"image","Action":"pull","Actor":{"ID":"nginx","Attributes":{}}}"#) == nil)
    }

    @Test func podmansEvents() throws {
        let line =
            #"{"status":"died","id":"4f6a","from":"nginx","Type":"container","Action":"died","Actor":{"ID":"4f6a","Attributes":{}}}"#
        #expect(try event(line) == ContainerEvent(container: "4f6a", kind: .isGone))
    }

    @Test(arguments: ["", "null", "[]", "{}", "{", "garbage", #"{"Action":3}"#, #"{"Type":"container"}"#, "\u{0}\u{1}"])
    func linesThatAreNoEvents(line: String) {
        #expect(throws: ContainerEvent.Garbage.self) { try event(line) }
    }
}
