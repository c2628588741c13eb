import IPVSKit
import RuleKit
import Testing

@testable import MeshKit

/// Attached containers.
extension FoundTasksTests {
    private static func attached(_ name: String, process: Int, networks: [String]? = []) -> FoundTask {
        var task = task(name, nil)
        task.namespace = "/proc/\(process)/ns/net"
        task.attachment = .init(namespace: "/proc/\(process)/ns/net", networks: networks)
        return task
    }

    private static func context(_ inodes: [Int: UInt64], ended: Set<String> = []) -> MeshSpec.FoundContext {
        var context = MeshSpec.FoundContext()
        for (process, inode) in inodes {
            context.facts["/proc/\(process)/ns/net"] = TaskFacts(inode: inode, defaultAddresses: ["172.17.0.2"])
        }
        context.ended = ended
        return context
    }

    @Test mutating func anAttachedContainerKeepsItsAddressesWhenStartedAnew() throws {
        #expect(take(Self.attached("a", process: 11), context: Self.context([11: 901])) == [])
        let first = try #require(spec.services["web"]?.tasks.first)
        #expect(first.attachment?.container == "a" && first.attachment?.inode == 901)
        #expect(first.origin == origin)
        // Nobody looks into a namespace that the spec knows.
        #expect(take(Self.attached("a", process: 11)) == [])
        #expect(spec.services["web"]?.tasks == [first])
        #expect(take(Self.attached("a", process: 12), context: Self.context([12: 902])) == [])
        let second = try #require(spec.services["web"]?.tasks.first)
        #expect(second.attachment?.inode == 902 && second.address == first.address && second.origin == origin)
        #expect(
            take(Self.attached("b", process: 13), context: .init()) == [
                "container b is no task of service web: there is no namespace /proc/13/ns/net"
            ])
        #expect(spec.services.isEmpty)
    }

    /// The operator has attached it by hand, and it is started anew: it is attached again, as the command would do.
    @Test mutating func aContainerThatTheOperatorHasAttached() throws {
        try spec.ensureIngress(node: "node1", avoiding: HostNetworks())
        let request = TaskAttachmentRequest(
            namespace: "/proc/11/ns/net", inode: 901, container: "a", node: "node1", weight: 3)
        let first = try spec.attach(request, service: "api")
        var task = FoundTask("a", services: ["a"])
        task.namespace = "/proc/12/ns/net"
        #expect(take(task, context: Self.context([12: 902])) == [])
        let second = try #require(spec.services["api"]?.tasks.first)
        #expect(second.address == first.address && second.weight == 3 && second.origin == nil)
        #expect(second.attachment?.namespace == "/proc/12/ns/net")
        take()
        #expect(spec.services["api"]?.tasks == [second], "what the operator has attached stays attached")
    }

    /// The source names it and cannot describe it at present.
    @Test mutating func whatIsOnlyListedStaysAsItIs() {
        take(Self.publishing("a", "172.17.0.2", 1080, to: 80), Self.task("b", "172.17.0.3"))
        let before = spec
        var (a, c) = (
            Self.publishing("a", "172.17.0.2", 1080, to: 80), Self.publishing("c", "172.17.0.4", 1081, to: 80)
        )
        (a.isOnlyListed, a.weight, c.isOnlyListed) = (true, 7, true)
        take(a, c, Self.task("b", "172.17.0.3"))
        #expect(spec == before)
        take(a)
        #expect(spec.services["web"]?.tasks.map(\.address) == ["172.17.0.2"], "b has gone")
        #expect(spec.services["web"]?.ports == before.services["web"]?.ports)
    }
}
