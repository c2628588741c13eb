/// What came of looking at a part of the kernel.
public enum Reading<Value: Sendable>: Sendable {
    /// It is there.
    case known(Value)
    /// It was looked for, and is not there.
    case absent
    /// Nobody could look, and why. It may be there or not: nothing may be concluded from it.
    case unreadable(String)

    /// The value, where it is known.
    public var value: Value? { if case .known(let value) = self { value } else { nil } }

    /// Why it could not be looked at; nil where it could.
    public var reason: String? { if case .unreadable(let reason) = self { reason } else { nil } }

    /// Whether it was looked for and is not there.
    var isAbsent: Bool { if case .absent = self { true } else { false } }
}

extension Reading: Equatable where Value: Equatable {}
extension Reading: Hashable where Value: Hashable {}
