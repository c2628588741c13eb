/// The result of reading a part of the kernel.
public enum Reading<Value: Sendable>: Sendable {
    /// The part exists and has this value.
    case known(Value)
    /// The part does not exist.
    case absent
    /// The part could not be read, for this reason. Whether it exists is unknown, so nothing may be concluded from it.
    case unreadable(String)

    /// The value; nil unless it is known.
    public var value: Value? { if case .known(let value) = self { value } else { nil } }

    /// Why the part could not be read; nil if it could.
    public var reason: String? { if case .unreadable(let reason) = self { reason } else { nil } }

    /// Whether the part is known not to exist.
    var isAbsent: Bool { if case .absent = self { true } else { false } }
}

extension Reading: Equatable where Value: Equatable {}
extension Reading: Hashable where Value: Hashable {}
