/// Questions to the subsystems of netfilter in one network namespace (`NETLINK_NETFILTER`). Safe to share between tasks.
///
/// It has the guarantees of ``NetlinkClient``: a call ends by its deadline and by the cancellation of its task, whatever
/// the kernel is doing, and only messages of the kernel are accepted.
package struct NetfilterClient: Sendable {
    private let client: NetlinkClient
    private let deadline: Duration

    /// Keeps the namespace alive. The first call is the first to talk to the kernel.
    ///
    /// - Parameter deadline: how long a call waits for the kernel.
    package init(in namespace: NamespaceHandle, deadline: Duration = .seconds(30)) {
        client = NetlinkClient(.netfilter, namespace: namespace)
        self.deadline = deadline
    }

    /// A client whose socket is a closure, for tests.
    package init(simulatingSocket socket: @escaping SimulatedSocket, deadline: Duration = .seconds(30)) {
        client = .simulating(socket: socket)
        self.deadline = deadline
    }

    /// Closes the socket and ends its thread until the next call.
    package func rest() { client.rest() }

    /// The client of the same socket, for messages and transactions that are put together elsewhere.
    package var netlink: NetlinkClient { client }

    /// The kernel's number of the namespace, as ``NetlinkClient/namespaceCookie``.
    package var namespaceCookie: UInt64? { client.namespaceCookie }

    /// Asks for a list. A list that changed while it was read (`NLM_F_DUMP_INTR`) is asked for again.
    ///
    /// - Parameters:
    ///   - type: the subsystem in the upper byte and the message in the lower one.
    ///   - family: `NFPROTO_…`.
    ///   - body: writes the attributes of the question.
    ///   - parse: converts the attributes of a message; nil to leave the message out.
    package func list<Value>(
        _ type: UInt16, family: UInt8, _ body: @escaping (inout MessageWriter) -> Void = { _ in },
        parse: @escaping (Attributes) -> Value?
    ) async throws(NetlinkError) -> [Value] {
        let request = Messages { $0.netfilterMessage(type, family: family, flags: NetlinkFlags.dump, body) }
        let found = try await client.lists(request, deadline: deadline) { _, message in
            Optional.some(parse(message.attributes))
        }
        return found[0].compactMap(\.self)
    }

    /// Asks a question that is answered by one message, or refused.
    ///
    /// - Parameter parse: converts the attributes of the answer; nil to leave it out.
    /// - Returns: nil if the kernel sends only a success, or if the answer is left out.
    package func ask<Value>(
        _ type: UInt16, family: UInt8, _ body: @escaping (inout MessageWriter) -> Void = { _ in },
        parse: @escaping (Attributes) -> Value?
    ) async throws(NetlinkError) -> Value? {
        let request = Messages { $0.netfilterMessage(type, family: family, body) }
        let found = try await client.ask(request, deadline: deadline) { message in
            Optional.some(parse(message.attributes))
        }
        return found ?? nil
    }

    /// Asks a question of which only the success or failure matters.
    package func ask(_ type: UInt16, family: UInt8) async throws(NetlinkError) {
        _ = try await ask(type, family: family) { _ in () }
    }
}
