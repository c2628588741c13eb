import CNetlink
import SystemPackage

/// Links, addresses and routes of one network namespace (`NETLINK_ROUTE`). Safe to share between tasks.
///
/// It has the guarantees of ``NetlinkClient``: a call ends by its deadline and by its task's cancellation, whatever the
/// kernel is at, and only the kernel is listened to. What a call that ended so was to change may have been changed, or be
/// changed yet, where the kernel waits for a lock of its own.
package struct RouteClient: Sendable {
    private let client: NetlinkClient
    private let deadline: Duration

    /// Takes hold of the namespace; the kernel is first asked by the first call.
    ///
    /// - Parameter deadline: how long a call waits for the kernel.
    package init(in namespace: NamespaceHandle, deadline: Duration = .seconds(30)) {
        self.init(NetlinkClient(.route, namespace: namespace), deadline: deadline)
    }

    /// With a socket that is a closure, for tests.
    package init(simulatingSocket socket: @escaping SimulatedSocket, deadline: Duration = .seconds(30)) {
        self.init(.simulating(socket: socket), deadline: deadline)
    }

    private init(_ client: NetlinkClient, deadline: Duration) {
        self.client = client
        self.deadline = deadline
    }

    /// Lets go of the namespace, the socket and the thread, at once and not only with the last copy of the client.
    package func close() { client.close() }

    /// Sends one request and waits until the kernel has carried it out.
    ///
    /// - Parameters:
    ///   - header: the C struct that the type wants.
    ///   - attributes: writes the attributes behind it.
    func perform(
        _ type: Int, flags: UInt16 = 0, header: some BitwiseCopyable,
        _ attributes: @escaping (inout MessageWriter) -> Void = { _ in }
    ) async throws(NetlinkError) {
        let request = Messages { $0.message(UInt16(type), header: header, flags: flags, attributes) }
        try await client.send(request, deadline: deadline).check()
    }

    /// Asks one question that is answered by one message; nil where the kernel says yes and nothing more.
    ///
    /// - Parameter parse: nil where the message is cut short.
    func ask<Value>(
        _ type: Int, header: some BitwiseCopyable, _ attributes: @escaping (inout MessageWriter) -> Void,
        parse: @escaping (NetlinkMessage) -> Value?
    ) async throws(NetlinkError) -> Value? {
        let request = Messages { $0.message(UInt16(type), header: header, attributes) }
        let answer = Answer<Value>()
        try await client.send(request, deadline: deadline) { _, message in answer.take(parse(message)) }.check()
        return try answer.whole().first
    }

    /// Asks for a list, which is of one moment or is asked for again (``NetlinkClient/dump(_:deadline:restart:handler:)``).
    ///
    /// - Parameter parse: nil where the message is cut short.
    func list<Value>(
        _ type: Int, header: some BitwiseCopyable, _ attributes: @escaping (inout MessageWriter) -> Void = { _ in },
        parse: @escaping (NetlinkMessage) -> Value?
    ) async throws(NetlinkError) -> [Value] {
        let request = Messages { $0.message(UInt16(type), header: header, flags: NetlinkFlags.dump, attributes) }
        let answer = Answer<Value>()
        try await client.dump(request, deadline: deadline) { _ in
            answer.restart()
        } handler: { _, message in
            answer.take(parse(message))
        }.check()
        return try answer.whole()
    }
}

/// What the connection's thread gathers for a caller, who looks only once that thread is done.
private final class Answer<Value> {
    /// Nil once a message was cut short.
    private var values: [Value]? = []

    func take(_ value: Value?) {
        if let value { values?.append(value) } else { values = nil }
    }

    func restart() { values = [] }

    func whole() throws(NetlinkError) -> [Value] {
        guard let values else { throw .interrupted(.malformedReply) }
        return values
    }
}
