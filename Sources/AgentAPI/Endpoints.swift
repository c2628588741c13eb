import Hummingbird
import ServiceLifecycle

/// What is answered at which path. docs/openapi.yaml describes it, and a test compares.
enum Endpoints {
    /// What monitoring asks, on whichever address.
    static let ofMonitoring: [String: Endpoint] = [
        "/metrics": Endpoint { information, _ in .metrics(await information.metrics()) },
        "/healthz": Endpoint { information, _ in .answer(information.health) },
        "/readyz": Endpoint { information, _ in .answer(information.readiness) },
    ]

    /// What only those are told and may do who may open the socket.
    ///
    /// - Parameter changes: what clients may ask to be changed.
    static func ofSocket(offering changes: [OfferedChange]) -> [String: Endpoint] {
        var endpoints = ofMonitoring
        endpoints["/v1/agent"] = Endpoint { information, _ in .json(try information.identity()) }
        endpoints["/v1/status"] = Endpoint { information, _ in .json(try await information.status()) }
        endpoints["/v1/plan"] = Endpoint { information, _ in .json(try await information.plan()) }
        endpoints["/v1/events"] = Endpoint { information, request in .events(of: information.events, request) }
        endpoints["/v1/mesh"] = Endpoint { information, _ in .json(try await information.changes.export()) }
        for change in changes { endpoints[change.path] = Endpoint(making: change) }
        return endpoints
    }

    static func router(
        _ endpoints: [String: Endpoint], _ information: AgentInformation, _ limits: AgentServer.Limits
    ) -> Router<APIContext> {
        let router = Router(context: APIContext.self)
        router.add(middleware: Refusals(endpoints: endpoints))
        for (path, endpoint) in endpoints {
            router.on(RouterPath(path), method: endpoint.method) { request, context in
                let body = try await endpoint.body(of: request, within: limits.idle)
                return try await endpoint.answer(information, request, body)
            }
        }
        return router
    }
}

extension Response {
    fileprivate static func answer(_ answer: AgentRecord.Answer) -> Self {
        .text(answer.sentence, status: answer.isGood ? .ok : .serviceUnavailable)
    }

    /// Metrics in Prometheus' text format. They are written while they are sent, since ten thousand tasks make 20 MB of text.
    fileprivate static func metrics(_ metrics: [Metric]) -> Self {
        Response(
            status: .ok, headers: [.contentType: "text/plain; version=0.0.4; charset=utf-8"],
            body: ResponseBody { writer in
                for metric in metrics {
                    for text in metric.prometheusText { try await writer.write(ByteBuffer(string: text)) }
                }
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
