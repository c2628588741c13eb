import FakeKernel
import Logging
import MeshKit
import Netlink
import ServiceLifecycle
import SystemPackage
import TestSupport
import Testing

@testable import AgentAPI
@testable import meshctl

/// A server that answers for an agent on the fake kernel.
struct ServerUnderTest {
    let address: AgentServer.Address
    let information: AgentInformation
    /// How often the mesh was observed.
    let observations: Locked<Int>

    /// Runs the body while a server answers, and then shuts it down.
    ///
    /// - Parameters:
    ///   - address: nil for a socket in a folder of its own.
    ///   - observe: observes the mesh; an empty one on the fake kernel by default.
    /// - Returns: how long the server took to end.
    @discardableResult
    static func with(
        at address: AgentServer.Address? = nil, limits: AgentServer.Limits = .init(),
        observe: (@Sendable () async throws -> AgentInformation.Observation)? = nil,
        status: @escaping @Sendable (AgentInformation.Observation) throws -> String = { _ in #"{"drift":0}"# },
        identity: @escaping @Sendable () throws -> String = { "{}" }, work: MeshChanges.Work = .telling,
        _ body: (Self) async throws -> Void
    ) async throws -> Duration {
        try await TemporaryDirectory.with { directory in
            let observations = Locked(0)
            let node = FakeNode()
            let information = AgentInformation(
                identity: identity,
                observe: {
                    observations.withLock { $0 += 1 }
                    if let observe { return try await observe() }
                    return try await node.mesh().observe()
                }, status: status, plan: { #"{"changes":[]}"# }, changes: MeshChanges(work),
                logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
            return try await run(
                at: address ?? .socket(directory.appending("agent.sock")), information, observations, limits, body)
        }
    }

    private static func run(
        at address: AgentServer.Address, _ information: AgentInformation, _ observations: Locked<Int>,
        _ limits: AgentServer.Limits, _ body: (Self) async throws -> Void
    ) async throws -> Duration {
        let (places, listening) = AsyncStream<AgentServer.Address>.makeStream()
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        var server = AgentServer(at: address, answering: information, logger: logger) { listening.yield($0) }
        server.limits = limits
        let group = ServiceGroup(services: [server], gracefulShutdownSignals: [], logger: logger)
        return try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask {
                defer { listening.finish() }
                try await group.run()
            }
            for await place in places {
                do {
                    try await body(Self(address: place, information: information, observations: observations))
                } catch {
                    await group.triggerGracefulShutdown()
                    throw error
                }
                break
            }
            let start = ContinuousClock.now
            await group.triggerGracefulShutdown()
            try await tasks.waitForAll()
            return .now - start
        }
    }

    func ask(
        _ path: String, method: String = "GET", body: String? = nil
    ) async throws -> (status: Int, head: String, body: String) {
        try await RawClient.ask(address, path, method: method, body: body)
    }

    /// The server goes on to answer.
    func expectAnswer(sourceLocation: SourceLocation = #_sourceLocation) async throws {
        let answer = try await ask("/healthz")
        #expect(answer.status == 200, "\(answer)", sourceLocation: sourceLocation)
    }
}

extension MeshChanges.Work {
    /// Changes nothing, and tells what was asked for.
    static let telling = making { JSONLine.text(Told($0, $1)) }

    /// What an operation was asked for.
    struct Told: Codable, Equatable {
        var path: String
        var flags: [String]
        var texts: [String: String]
        var body: String

        init(_ path: String, _ request: ChangeRequest) {
            self.path = path
            flags = request.flags.sorted()
            texts = request.texts
            body = request.body
        }
    }

    /// Offers all operations, and has one closure make all of them.
    static func making(
        export: @escaping @Sendable () async throws -> String = { #"{"generation":7}"# },
        _ make: @escaping @Sendable (_ path: String, ChangeRequest) async throws -> String
    ) -> Self {
        Self(
            Operations.all.map { type in
                let path = type.path
                return OfferedChange(at: path, type.parameters, hasBody: type.hasBody) { request in
                    OfferedChange.Prepared(isDry: request.flags.contains("dry-run")) { try await make(path, request) }
                }
            }, export: export
        ) { error in
            OperationFailure(of: error)
        }
    }
}
