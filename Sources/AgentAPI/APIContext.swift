import Hummingbird
import NIOCore

/// What belongs to a request: its connection, which is closed after some answers.
struct APIContext: RequestContext {
    var coreContext: CoreRequestContextStorage
    let channel: any Channel

    init(source: ApplicationRequestContextSource) {
        coreContext = CoreRequestContextStorage(source: source)
        channel = source.channel
    }
}

extension Response {
    /// A text for people.
    static func text(_ text: String, status: HTTPResponse.Status = .ok) -> Self {
        Response(
            status: status, headers: [.contentType: "text/plain; charset=utf-8"],
            body: ResponseBody(byteBuffer: ByteBuffer(string: text + "\n")))
    }

    /// A JSON document.
    static func json(_ document: String, status: HTTPResponse.Status = .ok) -> Self {
        Response(
            status: status, headers: [.contentType: "application/json"],
            body: ResponseBody(byteBuffer: ByteBuffer(string: document + "\n")))
    }

    /// Why a request has no other answer: `{"error": "..."}`.
    static func error(_ failure: OperationFailure, status: HTTPResponse.Status) -> Self {
        json(JSONLine.text(failure), status: status)
    }

    static func error(_ reason: String, status: HTTPResponse.Status) -> Self {
        error(OperationFailure(reason), status: status)
    }

    /// The answer after which the connection is closed, without reading the rest of the request. The client has a moment to
    /// read the answer: closed at once, the connection would be reset while it still sends.
    func closing(_ channel: any Channel) -> Self {
        var headers = headers
        headers[.connection] = "close"
        let body = body
        return Response(
            status: status, headers: headers,
            body: ResponseBody(contentLength: body.contentLength) { writer in
                try await body.write(writer)
                channel.close(mode: .output, promise: nil)
                channel.eventLoop.scheduleTask(in: .milliseconds(500)) { channel.close(promise: nil) }
            })
    }
}
