/// The fields of an object that is decoded. An unknown field is an error: it is either a typing mistake, or a field of
/// a later version that this one could not honour.
struct Fields<Key: CodingKey & CaseIterable> {
    let container: KeyedDecodingContainer<Key>

    init(_ decoder: any Decoder, _: Key.Type = Key.self) throws {
        container = try decoder.container(keyedBy: Key.self)
        let all = try decoder.container(keyedBy: AnyKey.self)
        let known = Set(Key.allCases.map(\.stringValue))
        // The alphabetically first field is named, so that a text always gives the same error.
        let unknown = all.allKeys.filter { !known.contains($0.stringValue) }.min { $0.stringValue < $1.stringValue }
        guard let unknown else { return }
        throw DecodingError.dataCorruptedError(
            forKey: unknown, in: all,
            debugDescription: "there is no field \(unknown.stringValue.debugDescription), only "
                + known.sorted().joined(separator: ", "))
    }

    /// Decodes a required field.
    func callAsFunction<Value: Decodable>(_ key: Key) throws -> Value {
        try naming(key) { try container.decode(Value.self, forKey: key) }
    }

    /// A field that may be missing.
    func callAsFunction<Value: Decodable>(_ key: Key, default value: Value) throws -> Value {
        try optional(key) ?? value
    }

    /// A field that may be missing.
    func optional<Value: Decodable>(_ key: Key) throws -> Value? {
        try naming(key) { try container.decodeIfPresent(Value.self, forKey: key) }
    }

    /// Adds the coding path to errors of the decoder that lack it: for a number that does not fit its type,
    /// Foundation's decoder throws an error of its own, which ends as "not JSON".
    private func naming<Value>(_ key: Key, _ body: () throws -> Value) throws -> Value {
        do {
            return try body()
        } catch let error as DecodingError {
            throw error
        } catch {
            throw self.error(key, "the value of \(key.stringValue) does not fit")
        }
    }

    func error(_ key: Key, _ reason: String) -> DecodingError {
        .dataCorruptedError(forKey: key, in: container, debugDescription: reason)
    }

    /// Refuses fields that have no meaning with the value of another field.
    func check(takesOnly keys: Set<String>, because reason: String) throws {
        for key in Key.allCases where !keys.contains(key.stringValue) && container.contains(key) {
            throw error(key, "\(key.stringValue) means nothing for \(reason)")
        }
    }
}

private struct AnyKey: CodingKey {
    var stringValue: String
    var intValue: Int? { nil }
    init(stringValue: String) { self.stringValue = stringValue }
    init?(intValue: Int) { nil }
}

// MARK: One word

extension Decoder {
    /// A value that is encoded as its text.
    func text<Value: LosslessStringConvertible>(_ what: String) throws -> Value {
        let container = try singleValueContainer()
        let text = try container.decode(String.self)
        guard let value = Value(text) else {
            throw DecodingError.dataCorruptedError(
                in: container, debugDescription: "\(text.debugDescription) is no \(what)")
        }
        return value
    }

    /// Flags, by name.
    func flags<Value: NamedFlags>(_ what: String) throws -> Value where Value.Element == Value {
        var container = try unkeyedContainer()
        var flags = Value()
        while !container.isAtEnd {
            let name = try container.decode(String.self)
            guard let flag = Value(flagName: name) else {
                throw DecodingError.dataCorrupted(
                    .init(
                        codingPath: container.codingPath,
                        debugDescription: "\(name.debugDescription) is no flag of \(what)"))
            }
            flags.formUnion(flag)
        }
        return flags
    }
}

extension Encoder {
    func text(_ value: some LosslessStringConvertible) throws {
        var container = singleValueContainer()
        try container.encode(value.description)
    }

    func flags<Value: NamedFlags>(_ value: Value) throws where Value.Element == Value {
        var container = unkeyedContainer()
        for name in value.flagNames { try container.encode(name) }
    }
}
