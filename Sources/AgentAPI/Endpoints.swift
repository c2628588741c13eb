import Hummingbird
import ServiceLifecycle

/// What is answered at which path. docs/openapi.yaml describes it, and a test compares.
enum Endpoints {
    typealias Answer = @Sendable (AgentInformation, Request) async throws -> Response

    /// What monitoring asks, on whichever address.
    static let ofMonitoring: [String: Answer] = [
        "/metrics": { information, _ in
            .metrics(await information.metrics())
        },
        "/healthz": { information, _ in .answer(information.health) },
        "/readyz": { information, _ in .answer(information.readiness) },
    ]

    /// What only those are told who may open the socket.
    static let ofSocket: [String: Answer] = ofMonitoring.merging([
        "/v1/status": { information, _ in .json(try await information.status()) },
        "/v1/plan": { information, _ in .json(try await information.plan()) },
        "/v1/events": { information, request in .events(of: information.events, request) },
    ]) { $1 }

    static func router(_ endpoints: [String: Answer], _ information: AgentInformation) -> Router<APIContext> {
        let router = Router(context: APIContext.self)
        router.add(middleware: Refusals(paths: Set(endpoints.keys)))
        for (path, answer) in endpoints {
            router.get(RouterPath(path)) { request, _ in try await answer(information, request) }
        }
        return router
    }
}

extension Response {
    fileprivate static func answer(_ answer: AgentRecord.Answer) -> Self {
        .text(answer.sentence, status: answer.isGood ? .ok : .serviceUnavailable)
    }

    /// Metrics in Prometheus' text format. One is sent after the other, since ten thousand tasks make 20 MB of text.
    fileprivate static func metrics(_ metrics: [Metric]) -> Self {
        Response(
            status: .ok, headers: [.contentType: "text/plain; version=0.0.4; charset=utf-8"],
            body: ResponseBody { writer in
                for metric in metrics { try await writer.write(ByteBuffer(string: metric.prometheusText)) }
                try await writer.finish(nil)
            })
    }

    /// The events from now on, a JSON object on each line, until the client or the agent ends.
    fileprivate static func events(of hub: EventHub, _ request: Request) -> Self {
        Response(
            status: .ok, headers: [.contentType: "application/jsonl"],
            body: ResponseBody { writer in
                try await hub.withSubscription { subscription in
                    try await withGracefulShutdownHandler {
                        try await request.body.consumeWithInboundCloseHandler { _ in
                            while let events = await subscription.next() {
                                let lines = events.map { JSONLine.text($0) + "\n" }.joined()
                                try await writer.write(ByteBuffer(string: lines))
                            }
                        } onInboundClosed: {
                            subscription.end()
                        }
                    } onGracefulShutdown: {
                        subscription.end()
                    }
                }
                try await writer.finish(nil)
            })
    }
}
