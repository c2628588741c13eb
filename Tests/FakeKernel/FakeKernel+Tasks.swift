package import IPVSKit
package import MeshKit

extension FakeKernel.State {
    /// Makes a task's namespace at a path. For each default address, the namespace has an interface of another program,
    /// by which its default route of the family leads.
    package mutating func addTask(_ path: String, inode: UInt64, defaultAddresses: [IPAddress] = []) {
        tasks[path] = TaskFacts(inode: inode, defaultAddresses: defaultAddresses)
        var namespace = FakeNamespace()
        for (number, address) in defaultAddresses.enumerated() {
            var there = FakeNamespace.Interface(
                index: nextIndex, kind: "veth", hardwareAddress: HardwareAddress(onOverlay: address))
            nextIndex += 1
            there.isUp = true
            there.addresses = [InterfacePrefix(address, length: address.family == .ipv4 ? 24 : 64)]
            there.routes = [.byDefault(address.family, via: address)]
            namespace.interfaces["eth\(number)"] = there
            namespace.add(settingsOf: "eth\(number)")
        }
        namespaces[path] = namespace
    }

    /// Ends a task, and its namespace with it.
    package mutating func removeTask(_ path: String) {
        tasks[path] = nil
        deleteNamespace(path)
    }
}

extension FakeKernel {
    package func probeSite(in place: Place) async throws -> ProbeSite { ProbeSite(namespace: nil) }

    package func hostNetworks() async throws -> HostNetworks {
        try gate.look()
        return withState(\.hostNetworks)
    }

    package func taskFacts(at path: String) async throws -> TaskFacts {
        try look(at: "the namespace of a task at \(path)")
        guard let facts = withState({ $0.tasks[path] }) else {
            throw InputError("there is no network namespace at \(path)")
        }
        return facts
    }
}
