import Hummingbird
import MeshKit

/// How the requests for one path look, and what they are answered.
struct Endpoint: Sendable {
    let method: HTTPRequest.Method
    /// The longest body that is read; nil if no body is needed, and a short one is read past.
    let longestBody: Int?
    let answer: @Sendable (AgentInformation, Request, _ body: String) async throws -> Response

    /// A question.
    init(_ answer: @escaping @Sendable (AgentInformation, Request) async throws -> Response) {
        method = .get
        longestBody = nil
        self.answer = { information, request, _ in try await answer(information, request) }
    }

    /// A change of the mesh, which is answered with a JSON document.
    init(making change: OfferedChange) {
        method = .post
        longestBody = change.hasBody ? OfferedChange.mostBytes : nil
        answer = { information, request, body in
            do {
                let asked = try ChangeRequest(request, knowing: change.parameters, body: body)
                return .json(try await information.changes.make(change, asked))
            } catch let refusal as Refusal {
                throw refusal
            } catch {
                let failure = information.changes.explain(error)
                throw Refusal(failure.isMistake ? .badRequest : .internalServerError, failure)
            }
        }
    }

    /// Reads the body, if the path needs one.
    ///
    /// - Parameter limit: how long the client may take to send it.
    func body(of request: Request, within limit: Duration) async throws -> String {
        guard let longestBody else { return "" }
        let stream = request.body
        let bytes = try await withThrowingTaskGroup(of: ByteBuffer?.self) { group in
            group.addTask { try await stream.collect(upTo: longestBody) }
            group.addTask {
                try await Task.sleep(for: limit)
                return nil
            }
            defer { group.cancelAll() }
            return try await group.next() ?? nil
        }
        guard let bytes else {
            throw Refusal(.requestTimeout, "the body did not come within \(limit.components.seconds) s")
        }
        guard let text = String(validating: bytes.readableBytesView, as: UTF8.self) else {
            throw Refusal(.badRequest, "the body is not UTF-8")
        }
        return text
    }
}

/// Why a request is refused.
struct Refusal: Error {
    let status: HTTPResponse.Status
    let failure: OperationFailure

    init(_ status: HTTPResponse.Status, _ failure: OperationFailure) {
        self.status = status
        self.failure = failure
    }

    init(_ status: HTTPResponse.Status, _ reason: String) { self.init(status, OperationFailure(reason)) }
}
