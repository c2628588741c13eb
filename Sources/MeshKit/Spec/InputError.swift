/// Invalid input. The description says the fault and the remedy. Nothing was changed.
public struct InputError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The fault, and the remedy.
    public let description: String

    /// An error with its description.
    public init(_ description: String) { self.description = description }
}
