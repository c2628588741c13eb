/// The state folder has no mesh, and the kernel has rules that belong to it: the mesh was lost. A change would begin a new
/// one, and take the ports of the old one down.
public struct LostMeshError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The state folder of the command.
    public var folder: String

    /// What is missing, and the remedy.
    public var description: String {
        "\(folder) has no mesh, but the kernel has the rules of one that was there: mesh.json was lost. Its ports answer "
            + "until the next pass. Put a copy of mesh.json back, or apply the file of another node; to give the ports up, "
            + "run `meshctl reset --all`"
    }
}
