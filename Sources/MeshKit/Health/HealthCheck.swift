/// How a balancer finds out whether the tasks of a service can serve.
public struct HealthCheck: Hashable, Sendable {
    /// What is done to a task.
    public enum Method: Hashable, Sendable {
        /// A connection is opened, and closed again.
        case tcp
        /// A resource is asked for by HTTP/1.1.
        ///
        /// - Parameters:
        ///   - path: the path and query of the resource.
        ///   - host: what the header `Host` says; nil for the task's address.
        ///   - statuses: the statuses of a healthy task.
        case http(path: String, host: String? = nil, statuses: ClosedRange<Int> = 200...399)
        /// An empty datagram is sent. A task whose port is closed answers that by an ICMP message, and any other answer,
        /// or none, counts as healthy.
        case udp
    }

    /// What is done to a task.
    public var method: Method
    /// The port of the task that is probed; nil for the one that the service's first published port leads to.
    public var port: UInt16?
    /// The seconds from one probe of a task to the next.
    public var interval: UInt32 = 5
    /// The seconds after which a probe without an answer has failed.
    public var timeout: UInt32 = 2
    /// After how many good probes in a row a task is healthy again.
    public var rise: UInt32 = 2
    /// After how many bad probes in a row a task is not healthy any more.
    public var fall: UInt32 = 3

    /// A check with the usual times.
    public init(_ method: Method, port: UInt16? = nil) {
        self.method = method
        self.port = port
    }
}

extension HealthCheck: CustomStringConvertible {
    /// The text that is read again: `tcp`, `http:/healthz,interval=10s,status=200`. What is as usual is left out.
    public var description: String {
        var words: [String]
        switch method {
        case .tcp: words = ["tcp"]
        case .udp: words = ["udp"]
        case .http(let path, let host, let statuses):
            words = ["http:\(path)"]
            if let host { words.append("host=\(host)") }
            if statuses != Self.usualStatuses {
                words.append("status=\(statuses.lowerBound)")
                if statuses.count > 1 { words[words.count - 1] += "-\(statuses.upperBound)" }
            }
        }
        let usual = Self(method)
        if let port { words.append("port=\(port)") }
        if interval != usual.interval { words.append("interval=\(DurationText.text(of: interval))") }
        if timeout != usual.timeout { words.append("timeout=\(DurationText.text(of: timeout))") }
        if rise != usual.rise { words.append("rise=\(rise)") }
        if fall != usual.fall { words.append("fall=\(fall)") }
        return words.joined(separator: ",")
    }

    private static let usualStatuses = 200...399
    /// What a text looks like, for messages.
    package static let example = "tcp, udp or http:/PATH, and options as in http:/healthz,interval=10s,status=200"

    /// Reads a text.
    package init(_ text: String) throws(InputError) {
        let words = text.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
        let first = words[0]
        switch first {
        case "tcp": self.init(.tcp)
        case "udp": self.init(.udp)
        case _ where first.hasPrefix("http:"): self.init(.http(path: try Self.path(String(first.dropFirst(5)))))
        default: throw InputError("\(first.debugDescription) is no health check: write \(Self.example)")
        }
        for word in words.dropFirst() { try set(word) }
        guard timeout <= interval else {
            throw InputError(
                "a probe may take \(DurationText.text(of: timeout)), and the next one begins after "
                    + "\(DurationText.text(of: interval)): choose a longer interval or a shorter timeout")
        }
    }

    private mutating func set(_ word: String) throws(InputError) {
        let parts = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        guard parts.count == 2 else { throw InputError("\(word.debugDescription) is no option: write \(Self.example)") }
        let value = parts[1]
        switch (parts[0], method) {
        case ("port", _): port = UInt16(try Self.number(value, "a port", in: 1...65535))
        case ("interval", _): interval = try Self.seconds(value)
        case ("timeout", _): timeout = try Self.seconds(value)
        case ("rise", _): rise = UInt32(try Self.number(value, "how many good probes it takes", in: 1...100))
        case ("fall", _): fall = UInt32(try Self.number(value, "how many bad probes it takes", in: 1...100))
        case ("host", .http(let path, _, let statuses)):
            guard Self.isPlain(value), !value.contains("/") else {
                throw InputError("\(value.debugDescription) is no name of a host")
            }
            method = .http(path: path, host: value, statuses: statuses)
        case ("status", .http(let path, let host, _)):
            method = .http(path: path, host: host, statuses: try Self.statuses(value))
        default:
            throw InputError(
                "\(parts[0].debugDescription) is no option of this check: port, interval, timeout, rise and fall are, "
                    + "and host and status of http")
        }
    }

    private static func path(_ text: String) throws(InputError) -> String {
        guard text.hasPrefix("/"), isPlain(text), text.utf8.count <= 2000 else {
            throw InputError("\(text.prefix(60).debugDescription) is no path: write one as in http:/healthz")
        }
        return text
    }

    /// Whether a text can stand in the head of a request.
    private static func isPlain(_ text: String) -> Bool {
        !text.isEmpty && text.utf8.allSatisfy { (0x21...0x7E).contains($0) }
    }

    private static func statuses(_ text: String) throws(InputError) -> ClosedRange<Int> {
        let ends = text.split(separator: "-", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        let first = try number(ends[0], "a status", in: 100...599)
        let last = try ends.count == 2 ? number(ends[1], "a status", in: 100...599) : first
        guard first <= last else { throw InputError("\(text) runs backwards: write the lower status first") }
        return first...last
    }

    private static func seconds(_ text: String) throws(InputError) -> UInt32 {
        let seconds = try DurationText.seconds(text)
        guard (1...3600).contains(seconds) else { throw InputError("\(text) is no time of a check: 1s to 1h are") }
        return seconds
    }

    private static func number(_ text: String, _ what: String, in range: ClosedRange<Int>) throws(InputError) -> Int {
        guard text.utf8.allSatisfy({ (48...57).contains($0) }), let number = Int(text), range.contains(number) else {
            throw InputError(
                "\(text.debugDescription) is not \(what): write a number from \(range.lowerBound) to \(range.upperBound)"
            )
        }
        return number
    }
}

extension HealthCheck: Codable {
    /// Reads the text.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let text = try container.decode(String.self)
        do throws(InputError) {
            try self.init(text)
        } catch {
            throw DecodingError.dataCorruptedError(in: container, debugDescription: error.description)
        }
    }

    /// Writes the text.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}
