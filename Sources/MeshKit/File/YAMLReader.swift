import IPVSKit
import RuleKit
import Yams

/// Reads the parts of a YAML file strictly: whatever is not expected is an error with its line and column.
struct YAMLReader {
    /// The name of the file in messages.
    let file: String
    /// Where the parts of the mesh stand.
    private(set) var positions: [SpecPath: MeshFile.Position] = [:]

    init(file: String) { self.file = file }

    /// One key of a mapping with its value.
    struct Entry {
        var name: String
        var key: Node
        var value: Node
    }

    /// The root of a text; nil if the text holds nothing.
    ///
    /// Anchors and aliases are refused: a few lines of them can stand for more than any memory holds.
    func root(of yaml: String) throws(InputError) -> Node? {
        if let position = YAMLAnchors.first(in: yaml) {
            throw error(
                at: position,
                "anchors (&name) and aliases (*name) are not taken: write each value where it belongs")
        }
        do {
            return try compose(yaml: yaml)
        } catch let error as YamlError {
            throw self.error(error)
        } catch {
            throw self.error(at: nil, "\(error)")
        }
    }

    // MARK: Positions and errors

    /// Remembers where a part of the mesh stands.
    mutating func note(_ path: SpecPath, _ node: Node) {
        positions[path] = node.mark.map(MeshFile.Position.init)
    }

    /// Remembers that a part and what is in it has another path.
    mutating func rename(_ old: SpecPath, _ new: SpecPath) {
        for (path, position) in positions where path.steps.starts(with: old.steps) {
            positions[path] = nil
            var renamed = new
            renamed.steps += path.steps.dropFirst(old.steps.count)
            positions[renamed] = position
        }
    }

    func error(_ node: Node, _ words: String) -> InputError {
        error(at: node.mark.map(MeshFile.Position.init), words)
    }

    private func error(at position: MeshFile.Position?, _ words: String) -> InputError {
        InputError("\(file):" + (position.map { "\($0.line):\($0.column):" } ?? "") + " \(words)")
    }

    private func error(_ error: YamlError) -> InputError {
        switch error {
        case .scanner(let context, let problem, let mark, _), .parser(let context, let problem, let mark, _),
            .composer(let context, let problem, let mark, _):
            let also = context.map { " \($0.text) at \($0.mark.line):\($0.mark.column)" } ?? ""
            return self.error(at: .init(mark), "this is no YAML: \(problem)\(also)")
        case .duplicatedKeysInMapping(let duplicates, let context):
            let keys = duplicates.sorted().map(\.debugDescription)
            return self.error(at: .init(context.mark), "the key \(MeshSpec.listing(keys)) is written twice")
        case .reader(let problem, let offset, _, let yaml):
            let before = yaml.utf8.prefix(offset ?? 0).split(
                separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
            return self.error(
                at: .init(line: max(before.count, 1), column: (before.last?.count ?? 0) + 1),
                "this is no YAML: \(problem)")
        default: return self.error(at: nil, "this is no YAML: \(error)")
        }
    }

    private func expected(_ what: String, at node: Node) -> InputError {
        let found =
            switch node {
            case .mapping: "a mapping"
            case .sequence: "a list"
            case .scalar(let scalar): node.isNothing ? "nothing" : scalar.string.debugDescription
            case .alias: "an alias"
            }
        return error(node, "expected \(what), and found \(found)")
    }

    // MARK: Mappings and lists

    /// The entries of a mapping whose keys are names.
    func entries(_ node: Node, _ what: String) throws(InputError) -> [Entry] {
        if node.isNothing { return [] }
        guard case .mapping(let mapping) = node else { throw expected(what, at: node) }
        var entries: [Entry] = []
        for (key, value) in mapping {
            guard case .scalar(let scalar) = key else { throw expected("a name as a key", at: key) }
            entries.append(Entry(name: scalar.string, key: key, value: value))
        }
        return entries
    }

    /// The values of a mapping whose keys are known.
    ///
    /// - Parameter owner: what has these keys, for messages: `a node`.
    func fields(_ node: Node, of owner: String, _ keys: [String]) throws(InputError) -> [String: Node] {
        var fields: [String: Node] = [:]
        for entry in try entries(node, "a mapping of \(MeshSpec.listing(keys))") {
            guard keys.contains(entry.name) else {
                throw error(
                    entry.key, "\(owner) has no \(entry.name.debugDescription); it has \(MeshSpec.listing(keys))")
            }
            fields[entry.name] = entry.value
        }
        return fields
    }

    /// The items of a list.
    func items(_ node: Node, _ what: String) throws(InputError) -> [Node] {
        if node.isNothing { return [] }
        guard case .sequence(let sequence) = node else { throw expected(what, at: node) }
        return Array(sequence)
    }

    // MARK: Values

    func text(_ node: Node, _ what: String) throws(InputError) -> String {
        guard case .scalar(let scalar) = node, !node.isNothing else { throw expected(what, at: node) }
        return scalar.string
    }

    /// A number, decimal or as `0x100`.
    func number<Number: FixedWidthInteger>(
        _ node: Node, _ what: String, in range: ClosedRange<Number>
    ) throws(InputError) -> Number {
        let what = "\(what), a number from \(range.lowerBound) to \(range.upperBound)"
        let text = try text(node, what)
        let (digits, radix) = text.hasPrefix("0x") ? (text.dropFirst(2), 16) : (text[...], 10)
        // The initialiser would also take a sign.
        guard digits.utf8.first.map({ $0 != UInt8(ascii: "+") && $0 != UInt8(ascii: "-") }) == true,
            let number = Number(digits, radix: radix), range.contains(number)
        else { throw expected(what, at: node) }
        return number
    }

    func truth(_ node: Node, _ what: String) throws(InputError) -> Bool {
        let what = "\(what), true or false"
        guard let value = Bool(try text(node, what)) else { throw expected(what, at: node) }
        return value
    }

    func address(_ node: Node, _ what: String) throws(InputError) -> IPAddress {
        guard let address: IPAddress = .init(try text(node, what)) else { throw expected(what, at: node) }
        return address
    }

    /// A network whose address has no bits behind its prefix.
    func prefix(_ node: Node, _ what: String) throws(InputError) -> IPPrefix {
        let text = try text(node, what)
        guard let prefix: IPPrefix = .init(text) else { throw expected(what, at: node) }
        let address = String(text.prefix { $0 != "/" })
        guard IPAddress(address) == prefix.address else {
            throw error(node, "\(address) is an address in \(prefix): write that")
        }
        return prefix
    }

    /// Adds the position of a node to the errors of the body.
    func placing<Value>(_ node: Node, _ body: () throws(InputError) -> Value) throws(InputError) -> Value {
        do throws(InputError) {
            return try body()
        } catch {
            throw self.error(node, error.description)
        }
    }
}

extension MeshFile.Position {
    fileprivate init(_ mark: Mark) { self.init(line: mark.line, column: mark.column) }
}

extension Node {
    /// Whether the value was left out, or is null.
    fileprivate var isNothing: Bool {
        guard case .scalar(let scalar) = self, scalar.style == .plain || scalar.style == .any else { return false }
        return ["", "~", "null"].contains(scalar.string)
    }
}
