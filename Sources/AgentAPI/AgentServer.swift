import Hummingbird
import HummingbirdCore
import IPVSKit
public import Logging
import NIOCore
import Netlink
public import ServiceLifecycle
public import SystemPackage

/// Answers questions about the agent by HTTP at one address.
public struct AgentServer: Service {
    /// Where a server listens, and to whom it answers what.
    public enum Address: Hashable, Sendable, CustomStringConvertible {
        /// A Unix socket that only its owner can use. It answers everything.
        case socket(FilePath)
        /// An address of the node. It answers what monitoring asks.
        case tcp(MetricsAddress)

        /// The path of the socket, or the address with its port.
        public var description: String {
            switch self {
            case .socket(let path): "\(path)"
            case .tcp(let address): "\(address)"
            }
        }
    }

    /// What a server puts up with.
    struct Limits: Sendable {
        /// More connections wait until others have ended.
        var connections = 256
        /// For all fields of a request and for its target, in bytes.
        var head = 16 * 1024
        /// A connection without a whole request is closed after this time.
        var idle = Duration.seconds(30)
        /// When the server is asked to end, answers that have begun may take so long.
        var farewell = Duration.milliseconds(200)
    }

    private let address: Address
    private let information: AgentInformation
    private let logger: Logger
    private let isListening: @Sendable (Address) -> Void
    var limits = Limits()

    /// - Parameters:
    ///   - address: where to listen.
    ///   - information: what is answered.
    ///   - logger: gets what the server cannot tell its clients.
    ///   - isListening: called once the server listens, with the port that the kernel has chosen.
    public init(
        at address: Address, answering information: AgentInformation, logger: Logger,
        isListening: @escaping @Sendable (Address) -> Void = { _ in }
    ) {
        self.address = address
        self.information = information
        self.logger = logger
        self.isListening = isListening
    }

    /// Answers until the task is cancelled or the service group shuts down, and then ends within a moment. If the node
    /// does not have the address yet, it waits for it.
    ///
    /// - Throws: ``AgentServerError`` if nothing can listen at the address.
    public func run() async throws {
        let hasListened = Locked(false)
        var told: String?
        repeat {
            do {
                try await listen { hasListened.withLock { $0 = true } }
                if Task.isCancelled || Task.isShuttingDownGracefully { return }
                // swift-nio gives a listener up when the kernel refuses a connection, as it does if descriptors run
                // out.
                logger.warning("nobody listens at \(address) any more; trying again")
                told = nil
            } catch {
                // A server that has worked is no reason to end the agent, least of all when the node is short of something.
                let mayPass = hasListened.withLock(\.self) || (error as? AgentServerError)?.mayPass == true
                guard mayPass, !Task.isCancelled else { throw error }
                if told != "\(error)" { logger.warning("\(error); trying again every second") }
                told = "\(error)"
            }
            try? await cancelWhenGracefulShutdown { try await Task.sleep(for: .seconds(1)) }
        } while !Task.isCancelled && !Task.isShuttingDownGracefully
    }

    /// - Parameter onBegin: called once somebody listens.
    private func listen(onBegin: @escaping @Sendable () -> Void) async throws {
        switch address {
        case .socket(let path):
            let file = try SocketFile(path)
            defer { file.remove() }
            try await serve(
                Endpoints.ofSocket(offering: information.changes.offered),
                at: .unixDomainSocket(path: file.birthplace.string)
            ) { _ in
                try file.publish()
                onBegin()
                return address
            }
        case .tcp(let tcp):
            let host = "\(tcp.address)"
            try await serve(Endpoints.ofMonitoring, at: .hostname(host, port: Int(tcp.port))) { channel in
                onBegin()
                let port = channel.localAddress?.port.flatMap { UInt16(exactly: $0) }
                return .tcp(MetricsAddress(tcp.address, port: port ?? tcp.port))
            }
        }
    }

    /// - Parameter begin: called once the server listens; gives the address.
    private func serve(
        _ endpoints: [String: Endpoint], at place: BindAddress,
        _ begin: @escaping @Sendable (any Channel) throws -> Address
    ) async throws {
        let failure = Locked<(any Error)?>(nil)
        let connections = OpenConnections()
        let application = Application(
            router: Endpoints.router(endpoints, information, limits),
            server: HTTPServerBuilder { [limits] responder in
                ClosedConnections(
                    http: HTTP1Channel(
                        responder: responder,
                        configuration: HTTP1Channel.Configuration(
                            idleTimeout: TimeAmount(limits.idle),
                            httpDecoderConfiguration: .init(
                                maxHeaderFieldSize: limits.head, maxHeaderListSize: limits.head,
                                maxHeaderFieldCount: 100))), open: connections)
            },
            configuration: ApplicationConfiguration(
                address: place, availableConnectionsDelegate: .maximum(limits.connections, logger: logger)),
            onServerRunning: { channel in
                do {
                    isListening(try begin(channel))
                } catch {
                    failure.withLock { $0 = error }
                    channel.close(promise: nil)
                }
            },
            logger: logger)
        // The server ends by itself when it is asked to or cancelled, unless a client or a question to the kernel keeps it.
        let (endings, end) = AsyncThrowingStream<Never, any Error>.makeStream()
        let ended = Task { for try await _ in endings {} }
        let giveUp = { @Sendable [limits, changes = information.changes] in
            _ = Task {
                // Whoever has asked for a change that has begun is to learn what became of it.
                await changes.end()
                try? await Task.sleep(for: limits.farewell)
                end.finish()
            }
        }
        let serving = Task {
            do {
                try await application.run()
                end.finish()
            } catch {
                end.finish(throwing: error)
            }
        }
        defer {
            connections.closeAll()
            serving.cancel()
        }
        do {
            try await withTaskCancellationHandler {
                try await withGracefulShutdownHandler {
                    try await ended.value
                } onGracefulShutdown: {
                    giveUp()
                }
            } onCancel: {
                serving.cancel()
                giveUp()
            }
        } catch let error as IOError {
            throw AgentServerError(Errno(rawValue: error.errnoCode), at: address)
        }
        if let failure = failure.withLock(\.self) { throw failure }
    }
}

extension AgentServerError {
    fileprivate init(_ errno: Errno, at address: AgentServer.Address) {
        let remedy: String =
            switch (errno, address) {
            case (_, .socket): "name another with --socket, or --socket off"
            case (.addressInUse, _): "`ss -ltnp` shows who has it; choose another with --metrics"
            case (.addressNotAvailable, _): "this host has no such address yet; choose another with --metrics"
            default: "choose another with --metrics"
            }
        self.init("the agent cannot listen at \(address): \(errno); \(remedy)")
        mayPass = errno == .addressNotAvailable
    }
}
