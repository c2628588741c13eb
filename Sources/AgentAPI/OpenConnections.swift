import HummingbirdCore
import Logging
import NIOCore
import Netlink

/// The connections of a server, so that all of them can be closed when the agent ends: a client that does not read would
/// otherwise keep it.
final class OpenConnections: Sendable {
    private let channels = Locked<[ObjectIdentifier: any Channel]>([:])

    /// Keeps a connection among these for as long as it is open.
    func add(_ channel: any Channel) {
        let id = ObjectIdentifier(channel)
        channels.withLock { $0[id] = channel }
        channel.closeFuture.whenComplete { _ in _ = self.channels.withLock { $0.removeValue(forKey: id) } }
    }

    func closeAll() {
        for channel in channels.withLock({ Array($0.values) }) { channel.close(promise: nil) }
    }
}

/// The connections of an HTTP server, of which none is dropped without being closed. A server that ends while a client
/// connects drops the connection, and swift-nio ends the process if a connection is dropped that was not closed.
struct ClosedConnections: ServerChildChannel {
    /// A connection that closes itself if nobody has handled it.
    final class Value: ServerChildChannelValue {
        fileprivate let connection: HTTP1Channel.Value
        private let isHandled = Locked(false)

        var channel: any Channel { connection.channel }

        fileprivate init(_ connection: HTTP1Channel.Value) { self.connection = connection }

        deinit {
            guard !isHandled.withLock(\.self) else { return }
            Task { [connection] in try? await connection.executeThenClose { _, _ in } }
        }

        fileprivate func take() -> HTTP1Channel.Value {
            isHandled.withLock { $0 = true }
            return connection
        }
    }

    let http: HTTP1Channel
    let open: OpenConnections

    func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<Value> {
        open.add(channel)
        return http.setup(channel: channel, logger: logger).map(Value.init)
    }

    @concurrent func handle(value: Value, logger: Logger) async {
        await http.handle(value: value.take(), logger: logger)
    }
}
