import IPVSKit
public import MeshKit
import Netlink
public import SystemPackage

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// The containers of an engine, Docker or Podman, as a source of tasks. It asks once for all of them, and then follows the
/// engine's events; now and then it asks again, so that a lost event is no lost container.
public struct ContainerSource: TaskSource {
    /// How long it waits.
    struct Limits: Sendable {
        /// For an answer.
        var answer = Duration.seconds(10)
        /// For the description of one container. An engine may hang on one and answer for all others.
        var look = Duration.seconds(3)
        /// Until it asks for all containers again.
        var resync = Duration.seconds(60)
        /// After the first failure of several. The wait doubles from failure to failure.
        var firstRetry = Duration.milliseconds(250)
        /// After a failure at most.
        var lastRetry = Duration.seconds(8)
    }

    /// The name of the source in the spec.
    public let name: String
    private let socket: FilePath
    private let isOptional: Bool
    var limits = Limits()

    /// - Parameters:
    ///   - name: the name of the source in the spec: `docker`, `podman`.
    ///   - socket: the engine's socket.
    ///   - isOptional: whether a host without this engine is as it should be, so that nobody is told of it, unless the mesh
    ///     has containers of it.
    public init(_ name: String, at socket: FilePath, isOptional: Bool = false) {
        self.name = name
        self.socket = socket
        self.isOptional = isOptional
    }

    /// Watches until the task is cancelled.
    public func run(reporting report: @escaping @Sendable (SourceReport) -> Void) async {
        var wait = limits.firstRetry
        let (wasThere, book) = (Locked(false), Locked(ContainerBook()))
        while !Task.isCancelled {
            let start = ContinuousClock.now
            do {
                try await follow(EngineClient(socket), book) { tasks in
                    wasThere.withLock { $0 = true }
                    report(tasks)
                }
                if Task.isCancelled { return }
                report(.unreachable("\(socket) ended its stream of events"))
            } catch {
                if Task.isCancelled { return }
                let isMissing = (error as? ContainerError)?.code == .unavailable
                let isAbsent = isOptional && isMissing && !wasThere.withLock(\.self)
                report(isAbsent ? .absent("\(error)") : .unreachable("\(error)"))
            }
            // An engine that was followed for a while is asked again at once.
            if ContinuousClock.now - start > limits.lastRetry { wait = limits.firstRetry }
            try? await Task.sleep(for: wait)
            wait = min(wait * 2, limits.lastRetry)
        }
    }

    /// What there is to look at.
    private enum Input: Sendable {
        /// The engine has begun to tell of events, or it is time to ask for everything.
        case everything
        case bytes([UInt8])
        case answer(EngineSession.Answer)
        case end((any Error)?)
    }

    /// Follows an engine until it ends the stream of events, which do not wait for answers to questions.
    ///
    /// - Parameter known: what was known of its containers before, and is known in the end.
    private func follow(
        _ client: EngineClient, _ known: Locked<ContainerBook>, reporting report: @Sendable (SourceReport) -> Void
    ) async throws {
        let (inputs, queue) = AsyncStream.makeStream(of: Input.self)
        try await withThrowingDiscardingTaskGroup { group in
            group.addTask { [limits, socket] in
                do {
                    try await client.follow(Self.events, beginningWithin: limits.answer) { status, bytes in
                        guard status == 200 else {
                            _ = try EngineClient.Answer(status: status, body: bytes).isFound(at: socket)
                            return
                        }
                        queue.yield(bytes.isEmpty ? .everything : .bytes(bytes))
                    }
                    queue.yield(.end(nil))
                } catch {
                    queue.yield(.end(error))
                }
            }
            group.addTask { [limits] in
                while !Task.isCancelled {
                    try? await Task.sleep(for: limits.resync)
                    queue.yield(.everything)
                }
            }
            defer { group.cancelAll() }
            var session = EngineSession(known.withLock(\.self))
            defer { known.withLock { $0 = session.book } }
            for await input in inputs {
                switch input {
                case .everything: session.askForAll()
                case .bytes(let bytes): try take(bytes, into: &session)
                case .answer(let answer): session.take(answer, at: .now)
                case .end(let error):
                    if let error { throw error }
                    return
                }
                if let tasks = session.news() { report(.tasks(tasks)) }
                for question in session.questions() {
                    let networks = session.book.knownNetworks
                    group.addTask { [limits] in
                        do {
                            let answer =
                                switch question {
                                case .list: try await client.list(limits)
                                case .container(let id, let isStopping):
                                    await client.look(at: id, isStopping: isStopping, knowing: networks, limits)
                                }
                            queue.yield(.answer(answer))
                        } catch {
                            queue.yield(.end(error))
                        }
                    }
                }
            }
        }
    }

    private static let events = "/events?filters=" + EngineClient.escaped(#"{"type":["container","network"]}"#)
    /// The longest event. One with all labels of a container has some kilobytes.
    private static let mostLineBytes = 1 << 20

    private func take(_ bytes: [UInt8], into session: inout EngineSession) throws(ContainerError) {
        do throws(ContainerEvent.Garbage) {
            try session.take(bytes, at: .now)
        } catch {
            throw ContainerError(.failed, "\(socket) does not answer as an engine does: it sends no events")
        }
        guard session.unfinished <= Self.mostLineBytes else {
            throw ContainerError(.failed, "\(socket) does not answer as an engine does: an event does not end")
        }
    }
}

/// A network of an engine.
struct EngineNetwork: Decodable, Equatable {
    var id: String
    var driver: String?
    var scope: String?

    private enum CodingKeys: String, CodingKey {
        case id = "Id"
        case driver = "Driver"
        case scope = "Scope"
    }

    /// Whether this node's routes lead to containers on the network. They do not to those of overlays of other nodes, and
    /// the kernel keeps a node apart from its own macvlan and ipvlan interfaces.
    var isReached: Bool {
        scope ?? "local" == "local" && !["macvlan", "ipvlan", "host", "none", "null", "overlay"].contains(driver ?? "")
    }
}
