import MeshKit

/// The name of a field in an operation's JSON object.
struct FieldName: CodingKey, ExpressibleByStringLiteral {
    let stringValue: String
    var intValue: Int? { nil }

    init(stringValue: String) { self.stringValue = stringValue }
    init?(intValue: Int) { nil }
    init(stringLiteral: String) { stringValue = stringLiteral }
}

/// The fields of an operation's JSON object, to be read.
struct OperationFields {
    private let container: KeyedDecodingContainer<FieldName>

    /// - Parameter known: the names of all fields that there can be. Any other is refused.
    init(_ decoder: any Decoder, _ known: [String]) throws {
        container = try decoder.container(keyedBy: FieldName.self)
        guard let other = container.allKeys.map(\.stringValue).sorted().first(where: { !known.contains($0) }) else {
            return
        }
        throw InputError("there is no field \(other.debugDescription); there are \(known.joined(separator: ", "))")
    }

    /// A text; nil if the field is left out.
    func text(_ name: FieldName) throws -> String? { try decoded(name, "a text") }

    func requiredText(_ name: FieldName) throws -> String { try Self.required(try text(name), name) }

    func texts(_ name: FieldName) throws -> [String]? { try decoded(name, "a list of texts") }

    /// A list of at least one text.
    func requiredTexts(_ name: FieldName) throws -> [String] { try Self.required(try texts(name), name) }

    /// Whether something is to be done; false if the field is left out.
    func flag(_ name: FieldName) throws -> Bool { try decoded(name, "true or false") ?? false }

    func number(_ name: FieldName) throws -> UInt32? { try decoded(name, "a number from 0 to \(UInt32.max)") }

    /// What a text says. As in mesh files, a number stands for its text, and false for `off`.
    func value<Value>(_ name: FieldName, _ read: (String) throws(InputError) -> Value) throws -> Value? {
        guard container.contains(name) else { return nil }
        let text: String
        if let number = try? container.decode(Int64.self, forKey: name) {
            text = "\(number)"
        } else if (try? container.decode(Bool.self, forKey: name)) == false {
            text = "off"
        } else {
            text = try Self.required(try decoded(name, "a text or a whole number"), name)
        }
        return try Self.placing(name) { () throws(InputError) in try read(text) }
    }

    /// What the texts of a list say; nil if the field is left out.
    func values<Value>(_ name: FieldName, _ read: (String) throws(InputError) -> Value) throws -> [Value]? {
        try texts(name)?.map { text in try Self.placing(name) { () throws(InputError) in try read(text) } }
    }

    /// What the texts of a list say; nil if the field is left out. An empty list would be taken for all there are.
    func someValues<Value>(_ name: FieldName, _ read: (String) throws(InputError) -> Value) throws -> [Value]? {
        let values = try values(name, read)
        guard values?.isEmpty != true else {
            throw InputError("the field \(name.stringValue) is empty: leave it out, or name some")
        }
        return values
    }

    /// What the texts of a list say, which has at least one.
    func requiredValues<Value>(_ name: FieldName, _ read: (String) throws(InputError) -> Value) throws -> [Value] {
        try Self.required(try values(name, read), name)
    }

    func requiredValue<Value>(_ name: FieldName, _ read: (String) throws(InputError) -> Value) throws -> Value {
        try Self.required(try value(name, read), name)
    }

    private func decoded<Value: Decodable>(_ name: FieldName, _ kind: String) throws -> Value? {
        guard container.contains(name) else { return nil }
        do {
            return try container.decode(Value.self, forKey: name)
        } catch {
            // Foundation has an error of its own for a number that the type does not have, which is no `DecodingError` here.
            throw InputError("the field \(name.stringValue) must be \(kind)")
        }
    }

    private static func required<Value>(_ value: Value?, _ name: FieldName) throws -> Value {
        guard let value, (value as? [Any])?.isEmpty != true else {
            throw InputError("the field \(name.stringValue) is needed")
        }
        return value
    }

    private static func placing<Value>(
        _ name: FieldName, _ read: () throws(InputError) -> Value
    ) throws(InputError) -> Value {
        do throws(InputError) {
            return try read()
        } catch {
            throw InputError("the field \(name.stringValue): \(error)")
        }
    }
}

/// The fields of an operation's JSON object, to be written. What is as the command has it by default is left out.
struct OperationFieldWriter {
    private var container: KeyedEncodingContainer<FieldName>

    init(_ encoder: any Encoder) { container = encoder.container(keyedBy: FieldName.self) }

    mutating func put(_ value: (some Encodable)?, _ name: FieldName) throws {
        try container.encodeIfPresent(value, forKey: name)
    }

    /// Writes what is to be done, unless it is not.
    mutating func put(flag: Bool, _ name: FieldName) throws {
        if flag { try container.encode(true, forKey: name) }
    }
}
