/// What of a value the kernel would take without a word and then not do, in words; nil where there is nothing.
///
/// What the kernel itself refuses is left to it: it knows better what it can do.
typealias Rule<Value> = @Sendable (Value) -> String?

enum Rules {
    /// The first objection to a value; nil where it can be sent.
    ///
    /// - Parameter found: what the kernel has in its place, where that is known. Whoever changes part of what somebody
    ///   else has made need not mend the rest: a rule that was broken before may stay so.
    static func objection<Value>(
        to wanted: Value, replacing found: Value? = nil, _ rules: [Rule<Value>]
    ) -> String? {
        for rule in rules {
            guard let objection = rule(wanted) else { continue }
            if let found, rule(found) != nil { continue }
            return objection
        }
        return nil
    }

    /// A name as the kernel holds it: not empty, without NUL, and so many bytes at most.
    static func objection(toName name: String, _ what: String, limit: Int) -> String? {
        nameFits(name, limit: limit) ? nil : "\(what) has 1 to \(limit) bytes, none of them NUL"
    }

    static func nameFits(_ name: String, limit: Int) -> Bool {
        !name.isEmpty && name.utf8.count <= limit && !name.utf8.contains(0)
    }
}

extension IPVSError {
    /// What is refused here, of which the kernel hears nothing.
    init(refusing operation: String, _ objection: String) {
        self.init(.invalid, operation: operation, hint: objection)
    }
}
