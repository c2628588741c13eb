/// Invalid input. The description says the fault and the remedy. Nothing was changed.
public struct InputError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The faults, each with its remedy. Only a mesh file can have several.
    public let faults: [String]
    /// The fault, and the remedy; of several faults, a line for each.
    public let description: String

    /// An error with its description.
    public init(_ description: String) { self.init(faults: [description]) }

    init(faults: [String]) {
        self.faults = faults
        description = faults.joined(separator: "\n")
    }
}
