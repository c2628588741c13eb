import SystemPackage

extension IPVSError.Code: Codable {
    /// Reads the name of the constant: `serviceNotFound`.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let name = try container.decode(String.self)
        guard let code = Self(name: name) else {
            throw DecodingError.dataCorruptedError(
                in: container, debugDescription: "\(name.debugDescription) is no code of an error")
        }
        self = code
    }

    /// Writes the name of the constant.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(name)
    }
}

extension IPVSError: Codable {
    private enum CodingKeys: CodingKey, CaseIterable {
        case code, errno, isInUserNamespace, operation, hint
    }

    /// Reads `{"code": "serviceNotFound", "errno": 3, "operation": "delete service FWM 258"}`, with `isInUserNamespace` and
    /// `hint`. All but the code and the operation may be missing.
    public init(from decoder: any Decoder) throws {
        let fields = try Fields(decoder, CodingKeys.self)
        let errno: CInt? = try fields.optional(.errno)
        self.init(
            try fields(.code), errno: errno.map(Errno.init(rawValue:)), operation: try fields(.operation),
            hint: try fields.optional(.hint))
        isInUserNamespace = try fields(.isInUserNamespace, default: false)
    }

    /// Writes the fields that are not nil; the errno as its number.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(code, forKey: .code)
        try container.encodeIfPresent(errno?.rawValue, forKey: .errno)
        try container.encode(isInUserNamespace, forKey: .isInUserNamespace)
        try container.encode(operation, forKey: .operation)
        try container.encodeIfPresent(hint, forKey: .hint)
    }
}

extension PerformResult.Outcome: Codable {
    private enum CodingKeys: CodingKey, CaseIterable {
        case outcome, error
    }

    private enum Kind: String, Codable {
        case done, failed, unknown, notSent
    }

    /// Reads `{"outcome": "done"}`, `{"outcome": "failed", "error": {…}}`.
    public init(from decoder: any Decoder) throws {
        let fields = try Fields(decoder, CodingKeys.self)
        let kind: Kind = try fields(.outcome)
        if kind != .failed { try fields.check(takesOnly: ["outcome"], because: kind.rawValue) }
        self =
            switch kind {
            case .done: .done
            case .failed: .failed(try fields(.error))
            case .unknown: .unknown
            case .notSent: .notSent
            }
    }

    /// Writes `outcome`, the name of the case, and the error if there is one.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        switch self {
        case .done: try container.encode(Kind.done, forKey: .outcome)
        case .failed(let error):
            try container.encode(Kind.failed, forKey: .outcome)
            try container.encode(error, forKey: .error)
        case .unknown: try container.encode(Kind.unknown, forKey: .outcome)
        case .notSent: try container.encode(Kind.notSent, forKey: .outcome)
        }
    }
}

extension PerformResult.Failure: Codable {
    private enum CodingKeys: CodingKey, CaseIterable {
        case index, error
    }

    /// Reads `{"index": 1, "error": {…}}`.
    public init(from decoder: any Decoder) throws {
        let fields = try Fields(decoder, CodingKeys.self)
        self.init(index: try fields(.index), error: try fields(.error))
    }

    /// Writes the fields that are not nil.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(index, forKey: .index)
        try container.encode(error, forKey: .error)
    }
}

extension PerformResult: Codable {
    private enum CodingKeys: CodingKey, CaseIterable {
        case count, changes, failures, interruption, confirmed, sent
    }

    /// Reads an object with `count`, `changes`, `failures`, `interruption`, `confirmed` and `sent`, which are as
    /// ``init(count:failures:interruption:confirmed:sent:)`` takes them. All but the count may be missing; the last two
    /// are there where there is an interruption.
    public init(from decoder: any Decoder) throws {
        let fields = try Fields(decoder, CodingKeys.self)
        let count: Int = try fields(.count)
        let changes: [Change] = try fields(.changes, default: [])
        let failures: [Failure] = try fields(.failures, default: [])
        guard count >= 0, changes.isEmpty || changes.count == count else {
            throw fields.error(.count, "there are \(changes.count) changes")
        }
        guard failures.allSatisfy({ (0..<count).contains($0.index) }) else {
            throw fields.error(.failures, "a place is none of \(count) changes'")
        }
        if let interruption: IPVSError = try fields.optional(.interruption) {
            let (confirmed, sent): (Int, Int) = (try fields(.confirmed), try fields(.sent))
            guard 0 <= confirmed, confirmed <= sent, sent <= count else {
                throw fields.error(.sent, "what is known was sent, of \(count) changes")
            }
            self.init(count: count, failures: failures, interruption: interruption, confirmed: confirmed, sent: sent)
        } else {
            try fields.check(takesOnly: ["count", "changes", "failures"], because: "a call that ran to its end")
            self.init(count: count, failures: failures)
        }
        self.changes = changes
    }

    /// Writes the fields that are not nil.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(count, forKey: .count)
        try container.encode(changes, forKey: .changes)
        try container.encode(failures, forKey: .failures)
        guard let interruption else { return }
        try container.encode(interruption, forKey: .interruption)
        try container.encode(confirmed, forKey: .confirmed)
        try container.encode(sent, forKey: .sent)
    }
}
