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
            // Podman does not say which signal it was.
            guard let signal = attributes["signal"]?.lowercased() else {
                self.init(container: id, kind: .changes)
                return
            }
            guard Self.ends(signal, stopSignal: stopSignal(id)?.lowercased()) else { return nil }
            self.init(container: id, kind: .stops)
        case "die", "died", "stop", "destroy", "remove", "pause": self.init(container: id, kind: .isGone)
        case "start", "restart": self.init(container: id, kind: .starts)
        case "unpause", "health_status", "rename", "update": self.init(container: id, kind: .changes)
        default: return nil
        }
    }

    /// Whether a signal ends a container: the one that its image names, SIGTERM or SIGKILL. Programs do other things on other
    /// signals: they read their configuration anew, or print what their threads do.
    private static func ends(_ signal: String, stopSignal: String?) -> Bool {
        guard let number = number(of: signal) else { return false }
        return number == 9 || number == 15 || number == stopSignal.flatMap(number(of:))
    }

    /// The number of a signal: `15`, `SIGTERM`, `term`, `SIGRTMIN+3`. Engines say numbers, images names.
    private static func number(of signal: String) -> Int? {
        if let number = Int(signal) { return number }
        let name = signal.hasPrefix("sig") ? String(signal.dropFirst(3)) : signal
        if name == "rtmin" { return 34 }
        if name.hasPrefix("rtmin+") { return Int(name.dropFirst(6)).map { 34 + $0 } }
        return numbers[name]
    }

    private static let numbers = [
        "hup": 1, "int": 2, "quit": 3, "abrt": 6, "kill": 9, "usr1": 10, "usr2": 12, "alrm": 14, "term": 15, "cont": 18,
        "winch": 28, "pwr": 30,
    ]

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
