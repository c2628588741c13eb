extension MeshSpec {
    /// The spec after a file was applied.
    ///
    /// A file that says its generation describes the whole mesh: nodes, networks and services, with everything that was
    /// allocated for them. It is refused if the present mesh has seen edits that the file has not, unless the context forces
    /// it or both are the same but for the edits that they count. A file without a generation describes parts. Parts that
    /// it does not name stay, or are removed if the context prunes; whatever it leaves out of a part is as it was, or is
    /// allocated. Without a generation, a section that the file does not have is not pruned.
    func applying(_ file: MeshFile, in context: ApplyContext) throws(InputError) -> MeshSpec {
        let order = file.version?.order(against: version)
        if order == .older, !context.forces { throw file.isOlder(than: version) }
        var application = MeshFileApplication(file: file, present: self, context: context)
        let outcome = Result { () throws(InputError) -> MeshSpec in try application.run() }
        // What sources find comes and goes without an edit of the mesh.
        let content = withoutFoundParts
        func isNew(_ next: MeshSpec) -> Bool { next.withoutFoundParts != content }
        if order == .apart, !context.forces, (try? outcome.get()).map(isNew) ?? true {
            throw file.isApart(from: version)
        }
        var next = try outcome.get()
        let hasChanged = isNew(next)
        if let exported = file.version { next.version = version.joined(with: exported) }
        guard hasChanged else { return next }
        if order != .newer {
            // An edit of parts or of an export by hand, or one that discards what the present mesh has seen. Such a mesh is
            // newer than both of which it was made, so that the other nodes take it.
            next.version.count(on: context.node)
        } else if file.edits.isEmpty, !edits.isEmpty {
            // The other nodes cannot know from whom the file is. So whoever has edited the mesh meanwhile is told.
            next.edits.count(on: context.node)
        }
        return next
    }
}

extension MeshFile {
    fileprivate func isOlder(than present: MeshVersion) -> InputError {
        let lost = present.edits.excess(over: edits)
        return error(
            at: SpecPath("generation"),
            "the file has generation \(generation ?? 0), and the mesh here has \(present.generation), which is newer"
                + (edits.isEmpty || lost.isEmpty ? "" : " by \(lost.words)")
                + ": export it anew, or take the older one by force (--force)")
    }

    fileprivate func isApart(from present: MeshVersion) -> InputError {
        error(
            at: SpecPath("edits"),
            "the mesh was edited here and elsewhere: the file would discard \(present.edits.excess(over: edits).words), and "
                + "the mesh here lacks \(edits.excess(over: present.edits).words); export the mesh of both nodes, compare each "
                + "file with the other node by `meshctl apply --dry-run --force`, apply the right one by force (--force) on "
                + "the node that has the other, and then export the mesh of that node to all others")
    }
}
