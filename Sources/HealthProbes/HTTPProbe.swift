import IPVSKit
import MeshKit
import NIOCore
import NIOHTTP1
import NIOPosix
import SystemPackage

/// A request by HTTP/1.1 on a connection that stands already.
enum HTTPProbe {
    /// Asks for the resource of a probe, and reads no more than the status. Closes the connection.
    static func answer(_ probe: HealthProbe, on socket: SystemPackage.FileDescriptor, within limit: Duration) async
        -> HealthAnswer
    {
        guard case .http(let path, let host, let statuses) = probe.method else { return .unknown("no request") }
        let channel: NIOAsyncChannel<HTTPClientResponsePart, HTTPClientRequestPart>
        do {
            channel = try await ClientBootstrap(group: .singletonMultiThreadedEventLoopGroup)
                .withConnectedSocket(NIOBSDSocket.Handle(socket.rawValue)) { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try channel.pipeline.syncOperations.addHTTPClientHandlers()
                        return try NIOAsyncChannel(wrappingChannelSynchronously: channel)
                    }
                }
        } catch {
            try? socket.close()
            return .unknown("\(error)")
        }
        // An ended connection is an answer that ends too early.
        let deadline = channel.channel.eventLoop.scheduleTask(in: TimeAmount(limit)) {
            channel.channel.close(promise: nil)
        }
        defer { deadline.cancel() }
        let end = ContinuousClock.now + limit
        do {
            let status: Int? = try await channel.executeThenClose { inbound, outbound in
                var head = HTTPRequestHead(version: .http1_1, method: .GET, uri: path)
                head.headers.add(name: "Host", value: host ?? Self.host(probe))
                head.headers.add(name: "User-Agent", value: "meshctl")
                head.headers.add(name: "Connection", value: "close")
                // At once, since a server may answer, and end the connection, before it has all of the request.
                try? await outbound.write(contentsOf: [.head(head), .end(nil)])
                for try await case .head(let head) in inbound { return Int(head.status.code) }
                return nil
            }
            guard let status else { return .bad(end <= .now ? "no answer in time" : "it ended the connection") }
            return statuses.contains(status) ? .good : .bad("status \(status)")
        } catch HTTPParserError.invalidEOFState where end > .now {
            return .bad("it ended the connection")
        } catch {
            return .bad(end <= .now ? "no answer in time" : "no answer by HTTP: \(error)")
        }
    }

    private static func host(_ probe: HealthProbe) -> String {
        let address = probe.address.family == .ipv6 ? "[\(probe.address)]" : "\(probe.address)"
        return probe.port == 80 ? address : "\(address):\(probe.port)"
    }
}
