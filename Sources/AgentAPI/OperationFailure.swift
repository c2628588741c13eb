/// Why something that a client has asked for was not done, as the client is told.
public struct OperationFailure: Error, Codable, Equatable, Sendable, CustomStringConvertible {
    /// What is wrong, for people.
    public var error: String
    /// The status with which a command ends that was told so. Nil if nothing was tried: then the command tries it
    /// itself.
    public var exitStatus: Int32?
    /// The faults of a mesh file, of which ``error`` has a line each; nil if there is one fault.
    public var faults: [String]?
    /// Whether it is a mistake of the client, and no failure of this node.
    public var isMistake = false

    private enum CodingKeys: String, CodingKey { case error, exitStatus, faults }

    /// A failure by its parts.
    public init(_ error: String, exitStatus: Int32? = nil, faults: [String]? = nil, isMistake: Bool = false) {
        self.error = error
        self.exitStatus = exitStatus
        self.faults = faults
        self.isMistake = isMistake
    }

    /// What is wrong.
    public var description: String { error }
}
