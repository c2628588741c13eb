import MeshKit
import SystemPackage

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// The Engine API's description of a container: the fields that matter here.
struct ContainerInspection: Decodable, Hashable {
    struct State: Decodable, Hashable {
        var running: Bool
        var process: Int32
        var paused: Bool?
        var health: Health?
        /// When the container was started last.
        var startedAt: String?

        private enum CodingKeys: String, CodingKey {
            case running = "Running"
            case startedAt = "StartedAt"
            case process = "Pid"
            case paused = "Paused"
            case health = "Health"
        }
    }

    struct Health: Decodable, Hashable {
        /// `none`, `starting`, `healthy` or `unhealthy`; Podman says nothing for `none`.
        var status: String?
        /// How many checks in a row have failed since the last good one.
        var failingStreak: Int?

        /// Whether its HEALTHCHECK says that the container serves. It does not before the first check was good.
        var isGood: Bool { status != "starting" && status != "unhealthy" }

        private enum CodingKeys: String, CodingKey {
            case status = "Status"
            case failingStreak = "FailingStreak"
        }
    }

    struct Config: Decodable, Hashable {
        var labels: [String: String]?
        /// The signal that tells the container to end, if its image names one: `SIGQUIT`.
        var stopSignal: String?
        /// How long the engine waits for the container to end, in seconds; below 0 without an end.
        var stopTimeout: Int?

        private enum CodingKeys: String, CodingKey {
            case stopTimeout = "StopTimeout"
            case labels = "Labels"
            case stopSignal = "StopSignal"
        }
    }

    struct NetworkSettings: Decodable, Hashable {
        var networks: [String: Endpoint]?

        private enum CodingKeys: String, CodingKey { case networks = "Networks" }
    }

    /// What a container has on a network of the engine.
    struct Endpoint: Decodable, Hashable {
        /// Empty without one.
        var address4: String?
        /// Empty without one.
        var address6: String?
        /// The id of the network.
        var network: String?

        private enum CodingKeys: String, CodingKey {
            case network = "NetworkID"
            case address4 = "IPAddress"
            case address6 = "GlobalIPv6Address"
        }
    }

    var name: String
    var state: State
    var config: Config?
    var networkSettings: NetworkSettings?

    private enum CodingKeys: String, CodingKey {
        case name = "Name"
        case state = "State"
        case config = "Config"
        case networkSettings = "NetworkSettings"
    }
}

/// An entry of the engine's list of containers.
struct ListedContainer: Decodable {
    var id: String
    private var names: [String]?
    private var labels: [String: String]?
    fileprivate var networkSettings: ContainerInspection.NetworkSettings?

    private enum CodingKeys: String, CodingKey {
        case id = "Id"
        case names = "Names"
        case labels = "Labels"
        case networkSettings = "NetworkSettings"
    }

    /// The name; a container that others link to has further ones, which have a slash inside.
    fileprivate var name: String {
        names?.first { !$0.dropFirst().contains("/") } ?? String(id.prefix(12))
    }

    fileprivate var config: ContainerInspection.Config { .init(labels: labels) }
}

extension ContainerInspection {
    /// What a list says of a container.
    init(_ listed: ListedContainer) {
        self.init(
            name: listed.name, state: State(running: true, process: 0), config: listed.config,
            networkSettings: listed.networkSettings)
    }

    /// Reads an answer. Nil if the engine has no such container.
    ///
    /// - Parameter name: the name or id that was asked for.
    init?(_ answer: EngineClient.Answer, of name: String, at socket: FilePath) throws(ContainerError) {
        guard try answer.isFound(at: socket) else { return nil }
        guard let value: Self = answer.decoded() else {
            throw ContainerError(
                .failed, "\(socket) gives no description of the container \(name), and is perhaps no engine")
        }
        self = value
    }
}

extension EngineClient.Answer {
    /// Whether the engine has what was asked for.
    ///
    /// - Throws: ``ContainerError`` if it did not answer the question.
    func isFound(at socket: FilePath) throws(ContainerError) -> Bool {
        if status == 200 { return true }
        let refusal: Refusal? = decoded()
        if status == 404, refusal != nil { return false }
        let words = refusal.map { ": \($0.message)" } ?? ", and is perhaps no engine"
        throw ContainerError(.failed, "\(socket) answers with the status \(status)\(words)")
    }

    /// The value that the body describes; nil if it describes none.
    func decoded<Value: Decodable>() -> Value? { try? JSONDecoder().decode(Value.self, from: Data(body)) }

    /// The Engine API's description of a failure.
    private struct Refusal: Decodable { var message: String }
}
