import IPVSKit
import RuleKit

extension MeshSpec {
    /// The whole mesh as a file that ``MeshFile/init(yaml:name:)`` reads, with everything that was allocated. The same
    /// spec always becomes the same text.
    public var yaml: String {
        var text = YAMLText()
        text.line(0, "# The whole mesh. `meshctl apply -f FILE` makes it so on another node.")
        text.line(0, "generation: \(meshGeneration)")
        if !edits.isEmpty { text.line(0, "edits: \(YAMLText.mapping(edits.counts))") }
        text.section("nodes", nodes) { text, name, node in text.write(node, name) }
        text.section("networks", networks) { text, name, network in text.write(network, name) }
        text.section("services", services) { text, name, service in text.write(service, name) }
        return text.text
    }
}

/// Writes lines of YAML.
private struct YAMLText {
    private(set) var text = ""

    mutating func line(_ depth: Int, _ line: String) {
        text += String(repeating: "  ", count: depth) + line + "\n"
    }

    mutating func section<Part>(
        _ title: String, _ parts: [String: Part], _ write: (inout YAMLText, String, Part) -> Void
    ) {
        guard !parts.isEmpty else { return }
        line(0, "\(title):")
        for (name, part) in parts.sorted(by: { $0.key < $1.key }) { write(&self, Self.scalar(name), part) }
    }

    // MARK: Parts

    mutating func write(_ node: MeshNode, _ name: String) {
        line(1, "\(name):")
        if let address = node.address { line(2, "address: \(Self.scalar(address.description))") }
        line(2, "number: \(node.number)")
        line(2, "gateway: \(Self.list(node.gatewaySubnets))")
        if node.hasZones { line(2, "zones: true") }
    }

    mutating func write(_ network: MeshNetwork, _ name: String) {
        line(1, "\(name):")
        line(2, "vni: \(network.identifier)")
        line(2, "port: \(network.port)")
        line(2, "subnets: \(Self.list(network.subnets))")
        write(network.balancers, 2, "balancers")
    }

    mutating func write(_ service: MeshSpec.Service, _ name: String) {
        line(1, "\(name):")
        line(2, "scheduler: \(Self.scalar(service.scheduler.rawValue))")
        if let balancing = service.chosenBalancing { line(2, "balancer: \(balancing.rawValue)") }
        if let seconds = service.slowStartSeconds { line(2, "slow-start: \(DurationText.text(of: seconds))") }
        if let check = service.healthCheck { line(2, "health: \(Self.scalar(check.description))") }
        write(service.origin, 2)
        if !service.ports.isEmpty { line(2, "ports:") }
        for port in service.ports {
            line(3, "- publish: \(Self.scalar(PublishText.text(of: port)))")
            line(4, "mark: \(port.mark)")
            if let seconds = port.stickySeconds { line(4, "sticky: \(DurationText.text(of: seconds))") }
            if !port.allowed.isEmpty { line(4, "allow: \(Self.list(port.allowed))") }
            if port.sourceIP != .auto { line(4, "source-ip: \(port.sourceIP.rawValue)") }
            if port.drain != .unlimited { line(4, "drain: \(Self.scalar(port.drain.text))") }
            if let count = port.maxConnections { line(4, "max-conns: \(count)") }
            write(port.origin, 4)
        }
        if !service.tasks.isEmpty { line(2, "tasks:") }
        for task in service.tasks {
            line(3, "- address: \(Self.scalar(task.address.description))")
            line(4, "weight: \(task.weight)")
            if task.isDraining { line(4, "draining: true") }
            if task.isUnhealthy { line(4, "unhealthy: true") }
            write(task.origin, 4)
            if let node = task.node { line(4, "node: \(Self.scalar(node))") }
            if let attachment = task.attachment { write(attachment) }
        }
        if !service.virtualAddresses.isEmpty { line(2, "vips:") }
        for (network, virtual) in service.virtualAddresses.sorted(by: { $0.key < $1.key }) {
            line(3, "\(Self.scalar(network)):")
            line(4, "addresses: \(Self.list(virtual.addresses))")
            line(4, "mark: \(virtual.mark)")
        }
    }

    private mutating func write(_ origin: Origin?, _ depth: Int) {
        if let origin { line(depth, "source: \(Self.scalar(origin.description))") }
    }

    private mutating func write(_ attachment: TaskAttachment) {
        line(4, "attachment:")
        line(5, "namespace: \(Self.scalar(attachment.namespace))")
        if let inode = attachment.inode { line(5, "inode: \(inode)") }
        if let container = attachment.container { line(5, "container: \(Self.scalar(container))") }
        write(attachment.addresses, 5, "networks")
        if !attachment.gatewayAddresses.isEmpty { line(5, "gateway: \(Self.list(attachment.gatewayAddresses))") }
        if !attachment.defaultAddresses.isEmpty { line(5, "default: \(Self.list(attachment.defaultAddresses))") }
    }

    private mutating func write(_ addresses: [String: [IPAddress]], _ depth: Int, _ title: String) {
        guard !addresses.isEmpty else { return }
        line(depth, "\(title):")
        for (name, addresses) in addresses.sorted(by: { $0.key < $1.key }) {
            line(depth + 1, "\(Self.scalar(name)): \(Self.list(addresses))")
        }
    }

    // MARK: Scalars

    static func list(_ values: [some CustomStringConvertible]) -> String {
        "[\(values.map { scalar($0.description) }.joined(separator: ", "))]"
    }

    static func mapping(_ numbers: [String: UInt64]) -> String {
        "{\(numbers.sorted { $0.key < $1.key }.map { "\(scalar($0.key)): \($0.value)" }.joined(separator: ", "))}"
    }

    /// A text as a scalar, in quotes where a reader could take it for something else: readers of YAML 1.1 take `1:20` for
    /// a number, and an IPv6 address in a list may end with a colon.
    static func scalar(_ text: String) -> String { isPlain(text) ? text : quoted(text) }

    /// Whether a text is a word, a path, an IPv4 address or network, or a port of IPv4 such as `192.168.5.1:1080:80/tcp`.
    private static func isPlain(_ text: String) -> Bool {
        var (dots, colons, letters) = (0, 0, 0)
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "."): dots += 1
            case UInt8(ascii: ":"): colons += 1
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"): letters += 1
            case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "/"): break
            default: return false
            }
        }
        switch text.utf8.first ?? 0 {
        case UInt8(ascii: "0")...UInt8(ascii: "9"):
            let isAddress = dots == 3 && colons == 0 && letters == 0
            let isPort = (1...2).contains(colons) && transports.contains { text.hasSuffix($0) }
            return isAddress || isPort
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "/"):
            return colons == 0 && !words.contains(text.lowercased())
        default: return false
        }
    }

    private static let transports = TransportProtocol.balanced.map { "/\($0)" }

    /// The words that readers take for a truth value, a number or nothing.
    private static let words: Set<String> = ["true", "false", "yes", "no", "on", "off", "y", "n", "null"]

    private static func quoted(_ text: String) -> String {
        var quoted = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"", "\\": quoted += "\\\(scalar)"
            case _
            where scalar.value < 0x20 || (0x7F...0xA0).contains(scalar.value) || scalar.value > 0xFFFF
                || (0x2000...0x20FF).contains(scalar.value) || (0xFE00...0xFFFF).contains(scalar.value):
                let digits = String(scalar.value, radix: 16, uppercase: true)
                quoted += "\\U" + String(repeating: "0", count: 8 - digits.count) + digits
            default: quoted.unicodeScalars.append(scalar)
            }
        }
        return quoted + "\""
    }
}
