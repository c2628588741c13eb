import Hummingbird

/// What a client asks to be changed, and how.
public struct ChangeRequest: Equatable, Sendable {
    /// What a query may say. Anything else is refused, since it would be left undone.
    public struct Parameters: Sendable {
        /// The names of what is true or false.
        public var flags: Set<String>
        /// The names of what is a text.
        public var texts: Set<String>

        /// Parameters by their names.
        public init(flags: Set<String> = [], texts: Set<String> = []) {
            self.flags = flags
            self.texts = texts
        }
    }

    /// The names in the query that are true.
    public var flags: Set<String>
    /// The texts in the query, by name.
    public var texts: [String: String]
    /// The request's body.
    public var body: String

    /// A request by its parts.
    public init(flags: Set<String> = [], texts: [String: String] = [:], body: String = "") {
        self.flags = flags
        self.texts = texts
        self.body = body
    }

    /// - Throws: ``OperationFailure`` if the query says something that is not known.
    init(_ request: Request, knowing known: Parameters, body: String) throws(OperationFailure) {
        self.init(body: body)
        var seen: Set<String> = []
        for (name, value) in request.uri.queryParameters {
            let (name, value) = (String(name), String(value))
            guard seen.insert(name).inserted else { throw .mistake("\(name.debugDescription) is written twice") }
            if known.texts.contains(name) {
                texts[name] = value
            } else if known.flags.contains(name) {
                switch value {
                case "", "true": flags.insert(name)
                case "false": break
                default: throw .mistake("\(name) is \(value.debugDescription): write true or false")
                }
            } else {
                let names = known.flags.union(known.texts).sorted()
                throw .mistake(
                    "there is no parameter \(name.debugDescription)"
                        + (names.isEmpty ? "" : "; there are \(names.joined(separator: ", "))"))
            }
        }
    }
}

extension OperationFailure {
    /// A mistake of the client, for which a command ends with the status of invalid input.
    static func mistake(_ error: String) -> Self { Self(error, exitStatus: 65, isMistake: true) }
}
