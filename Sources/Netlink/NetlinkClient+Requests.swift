import SystemPackage

/// Simple requests, for families that need no more.
extension NetlinkClient {
    /// Sends requests and waits until the kernel has carried them out. Throws the first refusal.
    package func perform(_ requests: Messages, deadline: Duration) async throws(NetlinkError) {
        try await send(requests, deadline: deadline).check()
    }

    /// Asks a question that is answered by one message. Nil if the kernel sends only a success.
    ///
    /// - Parameter parse: converts a message; nil if the message is truncated.
    package func ask<Value>(
        _ request: Messages, deadline: Duration, parse: @escaping (NetlinkMessage) -> Value?
    ) async throws(NetlinkError) -> Value? {
        try await answers(request, deadline: deadline, parse: parse)[0].get()
    }

    /// Asks questions, each of which is answered by one message or refused. Many questions take little longer than one.
    ///
    /// - Parameter parse: converts a message; nil if the message is truncated.
    /// - Returns: the answer or refusal of each; nil if the kernel sends only a success.
    package func answers<Value>(
        _ requests: Messages, deadline: Duration, parse: @escaping (NetlinkMessage) -> Value?
    ) async throws(NetlinkError) -> [Result<Value?, NetlinkError>] {
        let answers = (0..<requests.count).map { _ in Answer<Value>() }
        let outcome = try await send(requests, deadline: deadline) { index, message in
            answers[index].take(parse(message))
        }
        if let interruption = outcome.interruption { throw .interrupted(interruption) }
        var results: [Result<Value?, NetlinkError>] = []
        for answer in answers { results.append(.success(try answer.whole().first)) }
        for failure in outcome.failures {
            results[failure.index] = .failure(.refused(failure.errno, message: failure.message))
        }
        return results
    }

    /// Asks for lists, and returns the contents of each by request. A list that changed while it was read is asked for
    /// again (``dump(_:deadline:restart:handler:)``).
    ///
    /// - Parameter parse: converts a message; nil if the message is truncated.
    package func lists<Value>(
        _ requests: Messages, deadline: Duration, parse: @escaping (_ index: Int, NetlinkMessage) -> Value?
    ) async throws(NetlinkError) -> [[Value]] {
        let answers = (0..<requests.count).map { _ in Answer<Value>() }
        try await dump(requests, deadline: deadline) { index in
            answers[index].restart()
        } handler: { index, message in
            answers[index].take(parse(index, message))
        }.check()
        var lists: [[Value]] = []
        for answer in answers { lists.append(try answer.whole()) }
        return lists
    }
}

/// The values that the connection's thread gathers for a caller, who reads them only when that thread is done.
private final class Answer<Value> {
    /// The values; nil after a truncated message.
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
