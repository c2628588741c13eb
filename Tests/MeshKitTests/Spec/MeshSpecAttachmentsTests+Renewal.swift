import IPVSKit
import RuleKit
import Testing

@testable import MeshKit

/// What becomes of an attachment when its namespace is made anew, and when it is detached.
extension MeshSpecAttachmentsTests {
    @Test func aNamespaceThatWasMadeAnewKeepsItsAddresses() throws {
        var spec = try Self.spec()
        var request = Self.request("t1", networks: ["back"])
        request.inode = 4711
        let first = try spec.attach(request, service: "web")
        try spec.attach(request, service: "metrics")
        try spec.attach(Self.request("t2"), service: "other")
        request.inode = 4712
        request.defaultAddresses = ["192.0.2.7"]
        request.weight = 2
        let again = try spec.attach(request, service: "web")
        #expect(again.address == first.address && again.weight == 2 && again.attachment?.inode == 4712)
        #expect(again.attachment?.addresses == first.attachment?.addresses)
        #expect(again.attachment?.gatewayAddresses == ["fd18:6d65:7368::2"])
        #expect(spec.services["metrics"]?.tasks.first?.attachment == again.attachment, "it follows")
        #expect(spec.services["metrics"]?.tasks.first?.weight == 1)
        request.inode = 4713
        for networks in [[], ["back"]] as [[String]] {
            request.networks = networks
            request.address = networks.isEmpty ? nil : "10.255.0.99"
            let changed = request
            expectRefusal(spec, "attached already", "detach it first") { try $0.attach(changed, service: "web") }
        }
        // A service to which it is new takes it as it is.
        request.networks = nil
        request.address = nil
        let third = try spec.attach(request, service: "third")
        #expect(third.attachment == spec.services["web"]?.tasks.first?.attachment && third.attachment?.inode == 4713)
    }

    /// The kernel gives the inode of a namespace that has ended to the next one.
    @Test func aNewNamespaceMayHaveTheInodeOfTheOldOne() throws {
        var spec = try Self.spec()
        var request = Self.request("t1")
        request.inode = 4711
        let first = try spec.attach(request, service: "web")
        let unchanged = request
        expectRefusal(spec, "attached already", "detach it first") { try $0.attach(unchanged, service: "web") }
        request.isBare = true
        #expect(try spec.attach(request, service: "web") == first)
        request.defaultAddresses = ["192.0.2.7"]
        let again = try spec.attach(request, service: "web")
        #expect(again.address == first.address && again.attachment?.defaultAddresses == ["192.0.2.7"])
        // It is not attached to other networks by the way.
        request.networks = ["back"]
        let changed = request
        expectRefusal(spec, "attached already", "detach it first") { try $0.attach(changed, service: "web") }
    }

    @Test func aContainerThatWasStartedAnewKeepsItsAddresses() throws {
        var spec = try Self.spec()
        func request(_ container: String?, process: Int, inode: UInt64) -> TaskAttachmentRequest {
            TaskAttachmentRequest(
                namespace: "/proc/\(process)/ns/net", inode: inode, container: container, node: "a", networks: ["back"])
        }
        let first = try spec.attach(request("web1", process: 7, inode: 4711), service: "web")
        #expect(first.attachment?.container == "web1")
        expectRefusal(spec, "container web1 is attached already as task 10.255.0.4 of service web,") {
            try $0.attach(request("web1", process: 7, inode: 4711), service: "web")
        }
        // The kernel may give the inode of the namespace that has ended again.
        for (process, inode): (Int, UInt64) in [(8, 4712), (9, 4712), (9, 4713)] {
            let again = try spec.attach(request("web1", process: process, inode: inode), service: "web")
            #expect(again.attachment?.namespace == "/proc/\(process)/ns/net" && again.attachment?.inode == inode)
            #expect(again.attachment?.addresses == first.attachment?.addresses)
            #expect(spec.services["web"]?.tasks == [again])
        }
        // The number of a process says nothing once the process has ended.
        for container in ["web2", nil] {
            expectRefusal(
                spec,
                "/proc/9/ns/net is still that of task 10.255.0.4 of service web, whose namespace has ended: attach "
                    + "its container web1 again, or forget the task first"
            ) { try $0.attach(request(container, process: 9, inode: 4799), service: "web") }
        }
        // A container may share the namespace of another.
        let shared = try spec.attach(request("sidecar", process: 10, inode: 4713), service: "metrics")
        #expect(shared.attachment?.container == "web1" && SpecCheck.faults(of: spec).isEmpty)
        expectRefusal(spec, "service web has no task of container web2 on node a") {
            try $0.detach(.container("web2", node: "a"), service: "web")
        }
        expectRefusal(spec, "on node b") { try $0.detach(.container("web1", node: "b"), service: "web") }
        #expect(try spec.detach(.container("web1", node: "a"), service: "web").map(\.address) == [first.address])
    }

    @Test func whichTasksAreDetached() throws {
        var spec = try Self.spec()
        for name in ["t1", "t2", "t3"] { try spec.attach(Self.request(name, networks: ["back"]), service: "web") }
        try spec.attach(Self.request("t1", on: "b"), service: "web")
        let before = spec
        func left(_ which: TaskSelection) throws -> [IPAddress] {
            spec = before
            let gone = try spec.detach(which, service: "web")
            let left = spec.services["web"]!.tasks
            #expect(gone.count + left.count == 4 && !gone.contains { left.contains($0) })
            return left.map(\.address)
        }
        #expect(try left(.address("10.255.0.5")) == ["10.255.0.4", "10.255.0.6", "10.255.0.7"])
        #expect(try left(.address("fd00:1::5")) == ["10.255.0.5", "10.255.0.6", "10.255.0.7"], "on another network")
        #expect(try left(.namespace("/run/netns/t1", node: "b")) == ["10.255.0.4", "10.255.0.5", "10.255.0.6"])
        #expect(try left(.node("a")) == ["10.255.0.7"])
        for which in [.address("10.255.0.99"), .namespace("/run/netns/t2", node: "b"), .node("c")] as [TaskSelection] {
            expectRefusal(before, "service web has no", "meshctl task ls web") { try $0.detach(which, service: "web") }
        }
        expectRefusal(before, "no service \"other\"") { try $0.detach(.node("a"), service: "other") }
        // A task that is reached by the host's routes is not attached.
        spec = before
        try spec.addTask(SpecTask(address: "10.0.0.9", node: "a"), service: "reached")
        expectRefusal(spec, "has no attached task") { try $0.detach(.address("10.0.0.9"), service: "reached") }
        expectRefusal(spec, "has no attached task") { try $0.detach(.node("a"), service: "reached") }
    }
}
