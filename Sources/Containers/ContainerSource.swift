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
    ///   - isOptional: whether a host without this engine is as it should be, so that nobody is told of it.
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
                try await EngineClient.with(socket) { client in
                    try await follow(client, book) { tasks in
                        wasThere.withLock { $0 = true }
                        report(tasks)
                    }
                }
                if Task.isCancelled { return }
                report(.unreachable("\(socket) ended its stream of events"))
            } catch {
                if Task.isCancelled { return }
                let isMissing = (error as? ContainerError)?.code == .unavailable
                if !isOptional || !isMissing || wasThere.withLock(\.self) { report(.unreachable("\(error)")) }
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
        case end((any Error)?)
    }

    /// Follows an engine until it ends the stream of events.
    ///
    /// - Parameter known: what was known of its containers before, and is known in the end.
    private func follow(
        _ client: EngineClient, _ known: Locked<ContainerBook>, reporting report: @Sendable (SourceReport) -> Void
    ) async throws {
        let (inputs, queue) = AsyncStream.makeStream(of: Input.self)
        try await withThrowingTaskGroup(of: Void.self) { group in
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
                while true {
                    try await Task.sleep(for: limits.resync)
                    queue.yield(.everything)
                }
            }
            defer { group.cancelAll() }
            var (book, lines, last) = (known.withLock(\.self), LineBuffer(), [FoundTask]?.none)
            book.begin()
            defer { known.withLock { $0 = book } }
            for await input in inputs {
                switch input {
                case .everything: try await readAll(client, into: &book)
                case .bytes(let bytes):
                    let unknown = try take(lines.take(bytes), into: &book)
                    guard lines.unfinished <= Self.mostLineBytes else {
                        throw ContainerError(
                            .failed, "\(socket) does not answer as an engine does: an event does not end")
                    }
                    // What ends a container counts before anything is asked, which may take a while.
                    if !unknown.isEmpty, let before = last, before != book.tasks {
                        last = book.tasks
                        report(.tasks(book.tasks))
                    }
                    try await look(at: unknown, client, into: &book)
                case .end(let error):
                    if let error { throw error }
                    return
                }
                let tasks = book.tasks
                if tasks != last { report(.tasks(tasks)) }
                last = tasks
            }
        }
    }

    private static let events = "/events?filters=" + EngineClient.escaped(#"{"type":["container","network"]}"#)

    /// Takes events. Gives the ids of containers that have to be looked at.
    private func take(_ lines: [[UInt8]], into book: inout ContainerBook) throws -> Set<String> {
        var unknown: Set<String> = []
        // Engines separate their events by blank lines, too.
        for line in lines where !line.allSatisfy({ $0 == 0x20 || $0 == 0x0D }) {
            let event: ContainerEvent?
            do throws(ContainerEvent.Garbage) {
                event = try ContainerEvent(line: line, stopSignal: book.stopSignal(of:))
            } catch {
                throw ContainerError(.failed, "\(socket) does not answer as an engine does: it sends no events")
            }
            guard let event else { continue }
            if let id = book.take(event, at: .now) { unknown.insert(id) } else { unknown.remove(event.container) }
        }
        return unknown
    }

    /// Looks at containers, some at a time. One that the engine does not describe stays as it was.
    private func look(at ids: Set<String>, _ client: EngineClient, into book: inout ContainerBook) async throws {
        let results = await withTaskGroup(of: (String, Result<ContainerInspection?, any Error>).self) { group in
            var rest = ids.sorted()[...]
            var results: [(String, Result<ContainerInspection?, any Error>)] = []
            for id in rest.prefix(Self.mostLooks) { group.addTask { await (id, look(at: id, client)) } }
            rest = rest.dropFirst(Self.mostLooks)
            for await result in group {
                results.append(result)
                if let id = rest.popFirst() { group.addTask { await (id, look(at: id, client)) } }
            }
            return results
        }
        let networks = results.reduce(into: Set<String>()) { $0.formUnion((try? $1.1.get())?.networkIDs ?? []) }
        if !networks.isSubset(of: book.knownNetworks) { try await readNetworks(client, into: &book) }
        for (id, result) in results {
            switch result {
            case .success(let found): book.take(found, of: id, at: .now)
            case .failure(let error): book.fail(id, "\(error)")
            }
        }
    }

    private static let mostLooks = 8
    /// The longest event. One with all labels of a container has some kilobytes.
    private static let mostLineBytes = 1 << 20

    private func look(at id: String, _ client: EngineClient) async -> Result<ContainerInspection?, any Error> {
        do {
            let answer = try await client.get("/containers/\(EngineClient.escaped(id))/json", within: limits.look)
            return .success(try ContainerInspection(answer, of: id, at: socket))
        } catch {
            return .failure(error)
        }
    }

    private func readAll(_ client: EngineClient, into book: inout ContainerBook) async throws {
        try await readNetworks(client, into: &book)
        let answer = try await client.get("/containers/json", within: limits.answer)
        guard try answer.isFound(at: socket), let entries: [ListedContainer] = answer.decoded() else {
            throw ContainerError(.failed, "\(socket) gives no list of containers, and is perhaps no engine")
        }
        let list = Dictionary(entries.map { ($0.id, ContainerInspection($0)) }) { first, _ in first }
        book.take(list: list)
        try await look(at: Set(list.keys), client, into: &book)
    }

    private func readNetworks(_ client: EngineClient, into book: inout ContainerBook) async throws {
        let answer = try await client.get("/networks", within: limits.answer)
        guard try answer.isFound(at: socket), let networks: [EngineNetwork] = answer.decoded() else {
            throw ContainerError(.failed, "\(socket) gives no list of networks, and is perhaps no engine")
        }
        book.take(networks)
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
