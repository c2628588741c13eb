import Hummingbird

/// Refuses what nobody answers: unknown paths, methods other than GET, and bodies, which no request needs.
struct Refusals: RouterMiddleware {
    typealias Context = APIContext

    /// The longest body that is read past.
    static let mostBytes = 4096

    /// The paths that are known.
    let paths: Set<String>

    @concurrent func handle(
        _ request: Request, context: APIContext, next: @concurrent (Request, APIContext) async throws -> Response
    ) async throws -> Response {
        if request.hasLargeBody {
            return Response.error(
                "no request needs a body, and one of more than \(Self.mostBytes) bytes is refused",
                status: .contentTooLarge
            ).closing(context.channel)
        }
        let path = request.uri.path
        guard paths.contains(path) else {
            return .error(
                "there is nothing at this path; known are \(paths.sorted().joined(separator: ", "))", status: .notFound)
        }
        guard request.method == .get else {
            var response = Response.error("only GET is answered here", status: .methodNotAllowed)
            response.headers[.allow] = "GET"
            return response
        }
        do {
            return try await next(request, context)
        } catch {
            return .error("\(error)", status: .serviceUnavailable)
        }
    }
}

extension Request {
    /// Whether the body is too long to be read past, or of a length that is not known.
    fileprivate var hasLargeBody: Bool {
        if headers[.transferEncoding] != nil { return true }
        guard let length = headers[.contentLength] else { return false }
        return Int(length).map { $0 > Refusals.mostBytes } ?? true
    }
}
