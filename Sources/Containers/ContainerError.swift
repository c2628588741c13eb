/// Why an engine could not be asked about a container. The description says the socket, the cause and the remedy.
public struct ContainerError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The kind of the cause.
    public enum Code: Hashable, Sendable {
        /// No engine listens.
        case unavailable
        /// The engine's socket does not let this process in.
        case notPermitted
        /// The engine gave no answer, or none that makes sense.
        case failed
    }

    /// The kind of the cause.
    public var code: Code
    /// The socket, the cause and the remedy.
    public var description: String

    /// An error by its parts.
    public init(_ code: Code, _ description: String) {
        self.code = code
        self.description = description
    }
}
