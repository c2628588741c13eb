import Hummingbird

/// Refuses what nobody answers: unknown paths, other methods than that of the path, and bodies that are longer than a
/// request for the path needs.
struct Refusals: RouterMiddleware {
    typealias Context = APIContext

    /// The longest body that is read past.
    static let mostBytes = 4096

    /// What is answered at which path.
    let endpoints: [String: Endpoint]

    @concurrent func handle(
        _ request: Request, context: APIContext, next: @concurrent (Request, APIContext) async throws -> Response
    ) async throws -> Response {
        let path = request.uri.path
        let endpoint = endpoints[path]
        let mostBytes = endpoint?.longestBody ?? Self.mostBytes
        if request.hasBody(longerThan: mostBytes) {
            let need = endpoint?.longestBody == nil ? "no request for this path needs a body, and " : ""
            return Response.error(
                "\(need)a body of more than \(mostBytes) bytes, or without a Content-Length, is refused",
                status: .contentTooLarge
            ).closing(context.channel)
        }
        guard let endpoint else {
            return .error(
                "there is nothing at this path; known are \(endpoints.keys.sorted().joined(separator: ", "))",
                status: .notFound)
        }
        guard request.method == endpoint.method else {
            var response = Response.error("only \(endpoint.method) is answered here", status: .methodNotAllowed)
            response.headers[.allow] = endpoint.method.rawValue
            return response
        }
        do {
            return try await next(request, context)
        } catch let refusal as Refusal {
            let response = Response.error(refusal.failure, status: refusal.status)
            return refusal.status == .requestTimeout ? response.closing(context.channel) : response
        } catch {
            return .error("\(error)", status: .serviceUnavailable)
        }
    }
}

extension Request {
    /// Whether the body is longer than a limit, or of a length that is not known.
    fileprivate func hasBody(longerThan limit: Int) -> Bool {
        if headers[.transferEncoding] != nil { return true }
        guard let length = headers[.contentLength] else { return false }
        return Int(length).map { $0 > limit } ?? true
    }
}
