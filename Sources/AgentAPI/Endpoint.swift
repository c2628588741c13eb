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
    ///
    /// - Parameters:
    ///   - flags: what the query may ask for. Anything else is refused, since it would be left undone.
    ///   - longestBody: the longest body; nil if none is needed.
    ///   - change: makes the change.
    init(
        changing flags: Set<String>, longestBody: Int? = nil,
        _ change: @escaping @Sendable (MeshChanges, Asked) async throws -> String
    ) {
        method = .post
        self.longestBody = longestBody
        answer = { information, request, body in
            let asked = try Asked(request, knowing: flags, body: body)
            do {
                return .json(try await change(information.changes, asked))
            } catch let refusal as Refusal {
                throw refusal
            } catch let error as InputError {
                throw Refusal(.badRequest, error.description)
            } catch {
                throw Refusal(.internalServerError, "\(error)")
            }
        }
    }

    /// What a client asks to be changed, and how.
    struct Asked: Sendable {
        /// The names in the query that are true.
        private let flags: Set<String>
        let body: String

        fileprivate init(_ request: Request, knowing known: Set<String>, body: String) throws(Refusal) {
            var (flags, seen): (Set<String>, Set<String>) = ([], [])
            for (name, value) in request.uri.queryParameters {
                guard seen.insert(String(name)).inserted else {
                    throw Refusal(.badRequest, "\(String(name).debugDescription) is written twice")
                }
                guard known.contains(String(name)) else {
                    throw Refusal(
                        .badRequest,
                        "there is no parameter \(String(name).debugDescription); there are "
                            + known.sorted().joined(separator: ", "))
                }
                switch value {
                case "", "true": flags.insert(String(name))
                case "false": break
                default: throw Refusal(.badRequest, "\(name) is \(String(value).debugDescription): write true or false")
                }
            }
            self.flags = flags
            self.body = body
        }

        func has(_ flag: String) -> Bool { flags.contains(flag) }
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
    let reason: String

    init(_ status: HTTPResponse.Status, _ reason: String) {
        self.status = status
        self.reason = reason
    }
}
