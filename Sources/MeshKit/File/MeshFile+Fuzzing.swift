@_spi(Testing) extension MeshFile {
    /// Takes a text as the agent takes a request to change the mesh: reads it, applies it to an empty mesh and to the mesh
    /// that results, and reads what that is exported as. For the fuzzer.
    ///
    /// - Returns: whether the text is a mesh file that fits together.
    public static func take(_ text: String) -> Bool {
        do throws(InputError) {
            let file = try MeshFile(yaml: text, name: "input")
            let context = ApplyContext(forces: true, node: "node1")
            let spec = try MeshSpec().applying(file, in: context)
            _ = try spec.applying(file, in: context)
            // The next edit counts one more.
            let counts = [spec.meshGeneration] + spec.edits.counts.values
            precondition(counts.allSatisfy { $0 + 1 <= MeshSpec.latestGeneration }, "no edit could be counted")
            let exported = try MeshFile(yaml: spec.yaml, name: "export")
            let again = try MeshSpec().applying(exported, in: context)
            precondition(again.services == spec.services && again.nodes == spec.nodes, "an export says something else")
            return true
        } catch {
            return false
        }
    }
}
