/// The objection to a value, as text, if the kernel would accept the value and not act on it; nil without an objection.
///
/// Values that the kernel itself refuses are left to the kernel, which knows its own abilities.
typealias Rule<Value> = @Sendable (Value) -> String?

enum Rules {
    /// The first objection to a value; nil if it can be sent.
    ///
    /// - Parameter found: the value that the kernel has; nil if that is unknown. A rule that the kernel's value breaks
    ///   already is not checked: a program that changes part of another program's value need not repair the rest.
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

    /// The objection to a name: it must not be empty, contain NUL or have more than `limit` bytes.
    static func objection(toName name: String, _ what: String, limit: Int) -> String? {
        nameFits(name, limit: limit) ? nil : "\(what) has 1 to \(limit) bytes, none of them NUL"
    }

    static func nameFits(_ name: String, limit: Int) -> Bool {
        !name.isEmpty && name.utf8.count <= limit && !name.utf8.contains(0)
    }
}

extension IPVSError {
    /// The error for a value that is refused before anything is sent to the kernel.
    init(refusing operation: String, _ objection: String) {
        self.init(.invalid, operation: operation, hint: objection)
    }
}
