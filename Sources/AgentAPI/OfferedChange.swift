/// A change of the mesh that clients can ask for.
public struct OfferedChange: Sendable {
    /// What one client asks for, read and checked.
    public struct Prepared: Sendable {
        /// Whether nothing is changed, and what would change is told.
        var isDry: Bool
        /// Makes the change, and gives a JSON document of what was done.
        var make: @Sendable () async throws -> String

        /// A change by its parts.
        public init(isDry: Bool = false, make: @escaping @Sendable () async throws -> String) {
            self.isDry = isDry
            self.make = make
        }
    }

    /// The longest body of a change that has one, in bytes.
    public static let mostBytes = 16 << 20

    /// Where clients ask for it: `/v1/publish`.
    public var path: String
    /// What the query may say.
    public var parameters: ChangeRequest.Parameters
    /// Whether the request has a body.
    public var hasBody: Bool
    /// Reads and checks what a client asks for.
    public var prepare: @Sendable (ChangeRequest) throws -> Prepared

    /// A change by its parts.
    public init(
        at path: String, _ parameters: ChangeRequest.Parameters, hasBody: Bool,
        prepare: @escaping @Sendable (ChangeRequest) throws -> Prepared
    ) {
        self.path = path
        self.parameters = parameters
        self.hasBody = hasBody
        self.prepare = prepare
    }
}
