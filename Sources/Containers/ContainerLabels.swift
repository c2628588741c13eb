import IPVSKit
import MeshKit
import RuleKit

/// What the labels of a container ask for.
struct ContainerLabels: Equatable {
    /// Whether the container is left alone.
    var isExcluded = false
    /// The service that the container is a task of.
    var service: String?
    /// The networks of the mesh that the container is attached to; nil for a container that is not attached.
    var networks: [String]?
    /// The network of the engine whose address is the task's; nil for any.
    var engineNetwork: String?
    /// The task's share of new connections.
    var weight: UInt32 = 1
    /// The ports to publish.
    var ports: [FoundTask.Port] = []
    /// Their options, and those of the service.
    var options = PublishOptions()
    /// The labels that nobody understands, in words.
    var faults: [String] = []

    static let prefix = "meshctl."
    /// What Compose puts on a container that `docker compose run` has made: it has the labels of its service, and does
    /// something else.
    private static let oneOff = "com.docker.compose.oneoff"

    /// Every label, with what reads it.
    private static let readers: [String: @Sendable (inout Self, String) throws(InputError) -> Void] = [
        "enable": { labels, text throws(InputError) in
            switch text {
            case "true": labels.isExcluded = false
            case "false": labels.isExcluded = true
            default: throw InputError("write true or false")
            }
        },
        "service": { labels, text throws(InputError) in
            try MeshSpec.validate(serviceName: text)
            labels.service = text
        },
        "publish": { labels, text throws(InputError) in
            for word in Self.words(text) {
                let port = try PublishText(word)
                try MeshSpec.validate(port.listening, target: port.target)
                labels.ports.append(.init(listening: port.listening, target: port.target))
            }
        },
        "network": { labels, text throws(InputError) in
            let names = Self.words(text)
            for name in names { try MeshSpec.validate(networkName: name) }
            labels.networks = names
        },
        "engine-network": { labels, text in labels.engineNetwork = text },
        "weight": { labels, text throws(InputError) in
            guard let weight = UInt32(text), weight <= UInt32(Int32.max) else {
                throw InputError("write a number, such as 2")
            }
            labels.weight = weight
        },
        "scheduler": { labels, text throws(InputError) in
            let scheduler = Scheduler(rawValue: text)
            if let fault = scheduler.unsuitability { throw InputError(fault) }
            guard Scheduler.publishable.contains(scheduler) else {
                let names = MeshSpec.listing(Scheduler.publishable.map(\.rawValue), by: "or")
                throw InputError("write \(names)")
            }
            labels.options.scheduler = scheduler
        },
        "health": { labels, text throws(InputError) in
            labels.options.healthCheck = text == "off" ? .some(nil) : try HealthCheck(text)
        },
        "slow-start": { labels, text throws(InputError) in
            labels.options.slowStartSeconds = try DurationText.seconds(text)
        },
        "sticky": { labels, text throws(InputError) in
            labels.options.stickySeconds = try DurationText.seconds(text)
        },
        "allow": { labels, text throws(InputError) in
            labels.options.allowed = try Self.words(text).map { word throws(InputError) in
                guard let network = IPPrefix(word) else { throw InputError("write networks, such as 10.0.0.0/8") }
                return network
            }
        },
        "source-ip": { labels, text throws(InputError) in
            guard let source = SourceIP(rawValue: text) else {
                throw InputError("write \(MeshSpec.listing(SourceIP.allCases.map(\.rawValue), by: "or"))")
            }
            labels.options.sourceIP = source
        },
        "drain": { labels, text throws(InputError) in labels.options.drain = try DrainLimit(text) },
        "max-conns": { labels, text throws(InputError) in
            guard let count = text == "off" ? 0 : UInt32(text), count <= UInt32(Int32.max) else {
                throw InputError("write a number, or off")
            }
            labels.options.maxConnections = count
        },
    ]

    /// Reads the labels of a container. A label that makes no sense is a fault, and the others hold.
    init(_ labels: [String: String], of container: String) {
        isExcluded = labels[Self.oneOff]?.lowercased() == "true"
        for (key, text) in labels.sorted(by: { $0.key < $1.key }) where key.hasPrefix(Self.prefix) {
            guard let read = Self.readers[String(key.dropFirst(Self.prefix.count))] else {
                let known = Self.readers.keys.sorted().map { Self.prefix + $0 }
                faults.append(
                    "container \(container) has the label \(shown(key)), which meshctl does not know; it knows "
                        + known.dropLast().joined(separator: ", ") + " and " + known.last!)
                continue
            }
            do throws(InputError) {
                try read(&self, text)
            } catch {
                faults.append("container \(container) has the label \(key)=\(shown(text)): \(error.description)")
            }
        }
    }

    /// The words of a list, which blanks or commas separate.
    private static func words(_ text: String) -> [String] {
        text.split { $0 == "," || $0 == " " || $0 == "\t" }.map(String.init)
    }
}

/// A text of somebody else, short and without control characters.
private func shown(_ text: String) -> String {
    let isPlain = text.unicodeScalars.allSatisfy { (0x21...0x7E).contains($0.value) }
    return isPlain && text.utf8.count <= 80 ? text : text.prefix(60).debugDescription
}
