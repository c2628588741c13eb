/// Input that cannot be: says what is wrong and what would be right. What was to be edited is as it was.
public struct InputError: Error, Hashable, Sendable, CustomStringConvertible {
    /// What is wrong, and what to do.
    public let description: String

    /// An error in words.
    public init(_ description: String) { self.description = description }
}
