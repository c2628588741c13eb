import ArgumentParser
import IPVSKit
import MeshKit

/// Tasks of a service, as people name them.
struct TaskArguments: ParsableArguments {
    @Argument(help: "The service.", completion: Existing.services)
    var service: String

    @Argument(help: "An address of the task.", completion: Existing.tasks, transform: AddressArgument.parse)
    var address: IPAddress?

    @OptionGroup var namespace: NamespaceArguments
}

extension TaskSelection {
    /// - Parameter node: what `--node` says.
    init(_ address: IPAddress?, _ namespace: NamespaceArguments, on node: String?) throws {
        switch (address, try namespace.choice()) {
        case (_?, _?):
            throw ValidationError("the address and the namespace both name the task: give one of them.")
        case (let address?, nil):
            guard node == nil else {
                throw ValidationError("an address names one task, on whichever node: leave --node out.")
            }
            self = .address(address)
        case (nil, .file(let path)?): self = .namespace(path, node: node)
        case (nil, .container(let name)?): self = .container(name, node: node)
        case (nil, nil):
            guard let node else {
                throw ValidationError(
                    "say which task, by its address, --netns, --pid or --container, or --node for all of a node.")
            }
            self = .node(node)
        }
    }
}

extension Waiting {
    /// Waits for the drain of tasks, if that was asked for, and prints on standard error how many connections are left.
    ///
    /// - Throws: `ExitCode` 1 if the time of the drain is over and connections are left.
    func wait(for outcome: Outcome, _ options: some MeshOptions) async throws {
        guard wait else { return }
        var said: [String] = []
        let destinations = Set(outcome.tasks.flatMap(\.destinations))
        let ending = try await options.mesh().awaitDrain(
            of: destinations, beginningWith: outcome.retiring.map(\.path)
        ) { left in
            let lines = left.map(\.progress)
            for line in lines where !said.contains(line) { StandardError.write(line) }
            said = lines
        }
        switch ending {
        case .done:
            let addresses = outcome.tasks.map { "\($0.address)" }.joined(separator: ", ")
            StandardError.write("no connection to \(addresses) is left")
        case .cut(let cut):
            for path in cut { StandardError.write(path.lineAtTheEnd(isCut: true)) }
        case .left(let left):
            for path in left { StandardError.write(path.lineAtTheEnd(isCut: false)) }
            throw ExitCode(ExitStatus.failed.rawValue)
        }
    }
}

extension RetiringConnections {
    /// What is said when the time of a drain is over.
    ///
    /// - Parameter isCut: whether the connections were cut; else they go on.
    func lineAtTheEnd(isCut: Bool) -> String {
        let isOne = connections == 1
        let end =
            isCut
            ? " when \(isOne ? "it was" : "they were") cut"
            : ", which \(isOne ? "goes" : "go") on"
        return "the time is over: \(progress)\(end)"
    }

    /// `1080/tcp -> 10.0.0.11:80: 3 connections left`.
    fileprivate var progress: String {
        "\(binding) -> \(destination): "
            + (connections.map { "\(counted($0, "connection")) left" } ?? "connections not counted yet")
    }
}
