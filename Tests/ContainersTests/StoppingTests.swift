import IPVSKit
import MeshKit
import RuleKit
import Testing

@testable import Containers

/// Containers that were told to end, and go on.
@Suite struct StoppingTests {
    private var book = ContainerBook()
    private let start = ContinuousClock.now

    private static func running(
        timeout: Int? = 20, health: ContainerInspection.Health? = nil, process: Int32 = 7, startedAt: String = "1"
    ) -> ContainerInspection {
        ContainerInspection(
            name: "/web1", state: .init(running: true, process: process, health: health, startedAt: startedAt),
            config: .init(stopTimeout: timeout))
    }

    private mutating func take(_ found: ContainerInspection, at seconds: Int = 0, isListening: Bool = false) {
        book.take(found, of: "a", isListening: isListening, at: start + .seconds(seconds))
    }

    private mutating func tell(_ kind: ContainerEvent.Kind) {
        _ = book.take(ContainerEvent(container: "a", kind: kind), at: start)
    }

    /// Those that certainly serve.
    private var names: [String] { book.tasks.filter { !$0.needsCheck }.map(\.name) }

    /// A program that does something else on the signal is a task again after its time; one that takes its time for the
    /// connections that it has is not.
    @Test mutating func whatListensAfterItsTimeGoesOn() {
        take(Self.running())
        tell(.stops)
        take(Self.running(), at: 79, isListening: true)
        #expect(book.tasks == [])
        take(Self.running(), at: 81)
        #expect(names == [] && book.tasks.map(\.needsCheck) == [true], "a health check of its service may know")
        take(Self.running(), at: 141, isListening: true)
        #expect(names == ["web1"])
    }

    /// Whoever has a HEALTHCHECK is believed by it alone.
    @Test(
        arguments: [
            ("healthy", 0, true), ("healthy", 1, false), ("unhealthy", 3, false), ("starting", 0, false),
            ("none", 0, false), ("", 0, false),
        ] as [(String, Int, Bool)])
    mutating func whatAHealthCheckSays(status: String, failures: Int, serves: Bool) {
        let health = ContainerInspection.Health(status: status, failingStreak: failures)
        take(Self.running(health: health))
        tell(.stops)
        take(Self.running(health: health), at: 81)
        #expect(names == (serves ? ["web1"] : []))
    }

    /// `--stop-timeout -1`: it has all the time that there is.
    @Test mutating func aContainerThatMayTakeForEver() {
        take(Self.running(timeout: -1))
        tell(.stops)
        take(Self.running(timeout: -1), at: 1_000_000, isListening: true)
        #expect(book.tasks == [])
        tell(.starts)
        #expect(names == ["web1"])
    }

    /// The stream of events was interrupted: the container goes on to end, or it was started anew.
    @Test mutating func anEngineThatWasNotListenedTo() {
        take(Self.running())
        tell(.stops)
        let session = EngineSession(book)
        #expect(session.book.tasks == [])
        take(Self.running())
        #expect(book.tasks == [])
        take(Self.running(startedAt: "2"))
        #expect(names == ["web1"])
        tell(.stops)
        take(Self.running(process: 8, startedAt: "2"))
        #expect(names == ["web1"])
    }

    @Test mutating func aContainerIsForgottenWithWhatItWasTold() {
        take(Self.running())
        tell(.stops)
        take(Self.running(), at: 81)
        tell(.isGone)
        #expect(book.tasks == [])
        take(Self.running(process: 8))
        #expect(names == ["web1"])
    }

    // MARK: Sockets

    private static let head = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid\n"

    /// The kernel's tables, as a processor with the lowest byte first writes them.
    @Test(
        arguments: [
            ("   0: 00000000:0050 00000000:0000 0A 0", false, [], true),
            ("   0: 020011AC:0050 00000000:0000 0A 0", false, [80, 443], true),
            ("   0: 00000000:0050 00000000:0000 0A 0", false, [443], false),
            ("   0: 020011AC:0050 010011AC:E000 01 0", false, [80], false),
            ("   0: 0B00007F:9C4F 00000000:0000 0A 0", false, [], false),
            ("   0: 00000000000000000000000000000000:0050 00000000000000000000000000000000:0000 0A 0", false, [], true),
            (
                "   0: 00000000000000000000000001000000:0050 00000000000000000000000000000000:0000 0A 0", false, [],
                false
            ),
            ("   0: 00000000:0035 00000000:0000 07 0", true, [53], true),
            ("   0: 00000000:0035 00000000:0000 07 0", false, [53], false),
            ("", false, [], false), ("garbage", false, [], false), ("   0: x:y z 0A 0", false, [], false),
        ] as [(String, Bool, [UInt16], Bool)])
    func tablesOfSockets(line: String, isUDP: Bool, ports: [UInt16], isListening: Bool) {
        let text = Self.head + line + "\n"
        #expect(ListeningPorts.isListening(text, isUDP: isUDP, at: ports) == isListening)
    }

    @Test func aProcessThatThereIsNot() {
        #expect(!ListeningPorts.isListening(in: 0, at: []))
        let port = FoundTask.Port(listening: PortBinding(1080, .tcp), target: 80)
        #expect(!ListeningPorts.isListening(in: -1, at: [port]))
    }
}
