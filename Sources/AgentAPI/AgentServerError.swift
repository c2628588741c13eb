/// Why the agent does not answer at an address. The description says the address, the cause and the remedy.
public struct AgentServerError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The address, the cause and the remedy.
    public var description: String
    /// Whether the cause may go by itself, as when the network is not up yet.
    var mayPass = false

    /// An error by its description.
    public init(_ description: String) { self.description = description }
}
