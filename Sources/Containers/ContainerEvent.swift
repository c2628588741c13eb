#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// Something that an engine tells of, as its event stream describes it.
struct ContainerEvent: Equatable {
    enum Kind: Equatable {
        /// The container is told to end, and goes on until it does.
        case stops
        /// The container has ended, or is held.
        case isGone
        /// The container has begun to run.
        case starts
        /// Something else of the container has changed.
        case changes
    }

    var container: String
    var kind: Kind
}

extension ContainerEvent {
    /// The signals by which engines and operators let a container end. SIGHUP is not among them, since many servers read
    /// their configuration anew when they get it.
    private static let endings: Set<String> = [
        "2", "3", "9", "15", "sigint", "sigquit", "sigkill", "sigterm", "int", "quit", "kill", "term",
    ]

    /// Reads one line of the stream. Nil for one that does not concern containers.
    ///
    /// - Throws: ``Garbage`` for what is no event at all.
    init?(line: some Sequence<UInt8>, stopSignal: (String) -> String?) throws(Garbage) {
        guard let message = try? JSONDecoder().decode(Message.self, from: Data(line)) else { throw Garbage() }
        guard let action = message.action ?? message.status, let id = message.actor?.id ?? message.id
        else { throw Garbage() }
        let type = message.type ?? "container"
        let attributes = message.actor?.attributes ?? [:]
        if type == "network" {
            guard let container = attributes["container"], !container.isEmpty else { return nil }
            self.init(container: container, kind: .changes)
            return
        }
        guard type == "container", !id.isEmpty else { return nil }
        // `exec_create: sh -c …` and the like say nothing of the container itself.
        let verb = action.prefix { $0 != ":" && $0 != " " }
        switch verb {
        case "kill":
            guard let signal = attributes["signal"]?.lowercased() else { return nil }
            guard Self.ends(signal, stopSignal: stopSignal(id)?.lowercased()) else { return nil }
            self.init(container: id, kind: .stops)
        case "die", "died", "stop", "destroy", "remove", "pause": self.init(container: id, kind: .isGone)
        case "start", "restart": self.init(container: id, kind: .starts)
        case "unpause", "health_status", "rename", "update": self.init(container: id, kind: .changes)
        default: return nil
        }
    }

    /// Whether a signal ends a container: the one that its image names, or one that ends programs.
    private static func ends(_ signal: String, stopSignal: String?) -> Bool {
        if let stopSignal, signal == stopSignal || "sig\(signal)" == stopSignal { return true }
        return endings.contains(signal)
    }

    /// A line that is no event.
    struct Garbage: Error {}

    /// The fields of Docker's events, and of Podman's.
    private struct Message: Decodable {
        var type: String?
        var action: String?
        var status: String?
        var id: String?
        var actor: Actor?

        struct Actor: Decodable {
            var id: String?
            var attributes: [String: String]?

            private enum CodingKeys: String, CodingKey {
                case id = "ID"
                case attributes = "Attributes"
            }
        }

        private enum CodingKeys: String, CodingKey {
            case type = "Type"
            case action = "Action"
            case status, id
            case actor = "Actor"
        }
    }
}
