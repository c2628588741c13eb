extension Place {
    /// Why the place cannot have its namespace on this node: nil if it can. A namespace with the name is the mesh's if the
    /// ledger says so or an interface of the mesh's is in it, and it is anybody's to replace if it holds nothing.
    func conflict(in found: ObservedDatapath, _ ledger: Ledger) -> String? {
        guard case .own(let name) = existence, found[id].existence.value == .namespace, ledger[id].namespace != name,
            !found[id].links.values.contains(where: { $0.value?.isOurs == true }),
            let stranger = found[id].strangers.min()
        else { return nil }
        return
            "there is a network namespace \(name) that is not meshctl's, with the interface \(stranger): delete it or give "
            + "it another name"
    }
}
