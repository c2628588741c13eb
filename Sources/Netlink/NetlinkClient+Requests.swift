import SystemPackage

/// One question and its answer, for families whose users need no more.
extension NetlinkClient {
    /// Sends requests and waits until the kernel has carried them out. Throws the first refusal.
    package func perform(_ requests: Messages, deadline: Duration) async throws(NetlinkError) {
        try await send(requests, deadline: deadline).check()
    }

    /// Asks one question that is answered by one message; nil where the kernel says yes and nothing more.
    ///
    /// - Parameter parse: nil where the message is cut short.
    package func ask<Value>(
        _ request: Messages, deadline: Duration, parse: @escaping (NetlinkMessage) -> Value?
    ) async throws(NetlinkError) -> Value? {
        let answer = Answer<Value>()
        try await send(request, deadline: deadline) { _, message in answer.take(parse(message)) }.check()
        return try answer.whole().first
    }

    /// Asks for lists, each of which is of one moment or is asked for again
    /// (``dump(_:deadline:restart:handler:)``), and gives what they hold, by request.
    ///
    /// - Parameter parse: nil where the message is cut short.
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
