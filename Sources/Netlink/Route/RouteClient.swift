import CNetlink
import SystemPackage

/// Links, addresses and routes of one network namespace (`NETLINK_ROUTE`). Safe to share between tasks.
///
/// It has the guarantees of ``NetlinkClient``: a call ends by its deadline and by the cancellation of its task,
/// whatever the kernel is doing, and only messages of the kernel are accepted. A change whose call ended in this way
/// may have been made, or may still be made if the kernel is waiting for a lock of its own.
package struct RouteClient: Sendable {
    private let client: NetlinkClient
    private let deadline: Duration

    /// Keeps the namespace alive. The first call is the first to talk to the kernel.
    ///
    /// - Parameters:
    ///   - filtersInKernel: whether the kernel filters lists, where a call asks for a part. In any case they are filtered
    ///     here.
    ///   - deadline: how long a call waits for the kernel.
    package init(in namespace: NamespaceHandle, filtersInKernel: Bool = false, deadline: Duration = .seconds(30)) {
        let client = NetlinkClient(filtersInKernel ? .filteredRoute : .route, namespace: namespace)
        self.init(client, deadline: deadline)
    }

    /// A client whose socket is a closure, for tests.
    package init(simulatingSocket socket: @escaping SimulatedSocket, deadline: Duration = .seconds(30)) {
        self.init(.simulating(socket: socket), deadline: deadline)
    }

    private init(_ client: NetlinkClient, deadline: Duration) {
        self.client = client
        self.deadline = deadline
    }

    /// Releases the namespace, the socket and the thread at once, instead of with the last copy of the client.
    package func close() { client.close() }

    /// Closes the socket and ends its thread until the next call.
    package func rest() { client.rest() }

    /// Sends one request and waits until the kernel has carried it out.
    ///
    /// - Parameters:
    ///   - header: the C struct that the message type requires.
    ///   - attributes: writes the attributes behind it.
    func perform(
        _ type: Int, flags: UInt16 = 0, header: some BitwiseCopyable,
        _ attributes: @escaping (inout MessageWriter) -> Void = { _ in }
    ) async throws(NetlinkError) {
        let request = Messages { $0.message(UInt16(type), header: header, flags: flags, attributes) }
        try await client.perform(request, deadline: deadline)
    }

    /// Asks a question that is answered by one message. Nil if the kernel sends only a success.
    ///
    /// - Parameter parse: converts a message; nil if the message is truncated.
    func ask<Value>(
        _ type: Int, header: some BitwiseCopyable, _ attributes: @escaping (inout MessageWriter) -> Void,
        parse: @escaping (NetlinkMessage) -> Value?
    ) async throws(NetlinkError) -> Value? {
        let request = Messages { $0.message(UInt16(type), header: header, attributes) }
        return try await client.ask(request, deadline: deadline, parse: parse)
    }

    /// Asks questions of one type, each of which is answered by one message or refused.
    ///
    /// - Parameters:
    ///   - write: writes the question of an index.
    ///   - parse: converts a message; nil if the message is truncated.
    func answers<Value>(
        _ count: Int, write: @escaping (_ index: Int, inout MessageWriter) -> Void,
        parse: @escaping (NetlinkMessage) -> Value?
    ) async throws(NetlinkError) -> [Result<Value?, NetlinkError>] {
        let requests = Messages(count) { range, writer in
            for index in range { write(index, &writer) }
        }
        return try await client.answers(requests, deadline: deadline, parse: parse)
    }

    /// Asks for a list. A list that changed while it was read (`NLM_F_DUMP_INTR`) is asked for again.
    ///
    /// - Parameter parse: converts a message; nil if the message is truncated.
    func list<Value>(
        _ type: Int, header: some BitwiseCopyable, _ attributes: @escaping (inout MessageWriter) -> Void = { _ in },
        parse: @escaping (NetlinkMessage) -> Value?
    ) async throws(NetlinkError) -> [Value] {
        let request = Messages { $0.message(UInt16(type), header: header, flags: NetlinkFlags.dump, attributes) }
        return try await client.lists(request, deadline: deadline) { _, message in parse(message) }[0]
    }
}
