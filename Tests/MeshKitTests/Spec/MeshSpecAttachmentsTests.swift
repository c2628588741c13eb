import IPVSKit
import RuleKit
import Testing

@testable import MeshKit

@Suite struct MeshSpecAttachmentsTests {
    /// A service changes from one kind of tasks to the other in one edit.
    @Test func tasksOfTheOtherKindMakeWay() throws {
        var spec = MeshSpec()
        try spec.ensureIngress(node: "node1")
        try spec.addTask(SpecTask(address: "10.0.0.11"), service: "web")
        try spec.publish(
            PortBinding(1080, .tcp), target: 80, service: "web", options: PublishOptions(balancing: .host))
        let request = TaskAttachmentRequest(namespace: "/run/netns/t1", node: "node1")
        let refusal = #expect(throws: InputError.self) { try spec.attach(request, service: "web") }
        #expect(refusal?.description.contains("--replace") == true)
        let mark = spec.services["web"]?.ports.first?.mark
        spec.makeWay(for: .ingress, service: "web")
        let task = try spec.attach(request, service: "web")
        #expect(spec.services["web"]?.tasks == [task] && spec.services["web"]?.balancing == .ingress)
        #expect(spec.services["web"]?.ports.first?.mark == mark)
        // Those of its own kind stay.
        spec.makeWay(for: .ingress, service: "web")
        #expect(spec.services["web"]?.tasks == [task])
        let second = #expect(throws: InputError.self) {
            try spec.addTask(SpecTask(address: "10.0.0.11"), service: "web")
        }
        #expect(second?.description.contains("--replace") == true)
        spec.makeWay(for: .host, service: "web")
        try spec.addTask(SpecTask(address: "10.0.0.11"), service: "web")
        #expect(spec.services["web"]?.tasks.map(\.address) == ["10.0.0.11"])
        spec.makeWay(for: .host, service: "nothing")
        #expect(spec.services["nothing"] == nil)
    }

    /// Two nodes, `ingress` and a user network.
    static func spec() throws -> MeshSpec {
        var spec = MeshSpec()
        try spec.ensureIngress(node: "a")
        try spec.ensureIngress(node: "b")
        try spec.createNetwork("back", subnets: ["10.0.1.0/24", "fd00:1::/64"])
        return spec
    }

    static func request(
        _ name: String, on node: String = "a", networks: [String]? = nil, address: IPAddress? = nil
    ) -> TaskAttachmentRequest {
        TaskAttachmentRequest(namespace: "/run/netns/\(name)", node: node, networks: networks, address: address)
    }

    @Test func aTaskGetsTheLowestFreeAddressOfEachFamily() throws {
        var spec = try Self.spec()
        let first = try spec.attach(Self.request("t1"), service: "web")
        #expect(
            first
                == SpecTask(
                    address: "10.255.0.4", node: "a",
                    attachment: TaskAttachment(
                        namespace: "/run/netns/t1", addresses: ["ingress": ["10.255.0.4", "fd25:6d65:7368::4"]],
                        gatewayAddresses: ["172.18.0.2", "fd18:6d65:7368::2"])))
        #expect(spec.services["web"]?.balancing == .ingress)
        let second = try spec.attach(Self.request("t2"), service: "other")
        #expect(second.address == "10.255.0.5" && second.attachment?.gatewayAddresses.first == "172.18.0.3")
        let third = try spec.attach(Self.request("t2", on: "b"), service: "web")
        #expect(third.attachment?.gatewayAddresses.first == "172.18.0.2", "each node has a gateway bridge of its own")
        try spec.detach(.address("10.255.0.4"), service: "web")
        let fourth = try spec.attach(Self.request("t4"), service: "web")
        #expect(fourth.address == "10.255.0.4" && fourth.attachment?.gatewayAddresses.first == "172.18.0.2")
        #expect(spec.services["web"]?.tasks.map(\.address) == ["10.255.0.4", "10.255.0.6"])
    }

    /// Where a task has a default route it answers by that.
    @Test func aGatewayAddressForEachFamilyWithoutADefaultRoute() throws {
        var spec = try Self.spec()
        for (defaults, gateways): ([IPAddress], [IPAddress]) in [
            ([], ["172.18.0.2", "fd18:6d65:7368::2"]), (["192.0.2.7"], ["fd18:6d65:7368::3"]),
            (["fd99::1"], ["172.18.0.3"]), (["fd99::1", "192.0.2.7"], []),
        ] {
            var request = Self.request("t\(spec.services.count)")
            request.defaultAddresses = defaults
            let task = try spec.attach(request, service: "s\(spec.services.count)")
            #expect(task.attachment?.gatewayAddresses == gateways)
            #expect(task.attachment?.defaultAddresses == defaults.sorted())
        }
    }

    @Test func aUserNetworkGivesTheServiceAnAddressAndAMark() throws {
        var spec = try Self.spec()
        try spec.publish(PortBinding(1080, .tcp), target: 80, service: "web")
        let task = try spec.attach(
            Self.request("t1", networks: ["back", "ingress"]), service: "web", avoiding: [0x101])
        #expect(
            spec.services["web"]?.virtualAddresses
                == ["back": VirtualAddress(addresses: ["10.0.1.4", "fd00:1::4"], mark: 0x102)])
        #expect(task.attachment?.addresses["back"] == ["10.0.1.5", "fd00:1::5"])
        #expect(task.address == "10.255.0.4", "the identity is the first address on ingress")
        // The next task is on the networks of the service by itself, and shares the address.
        let second = try spec.attach(Self.request("t2"), service: "web")
        #expect(second.attachment?.addresses["back"] == ["10.0.1.6", "fd00:1::6"])
        // A task can be on fewer networks.
        let third = try spec.attach(Self.request("t3", networks: []), service: "web")
        #expect(third.attachment?.addresses.keys.sorted() == ["ingress"])
        #expect(spec.services["web"]?.virtualAddresses.count == 1 && spec.marks == [0x100, 0x102])
        try spec.detach(.node("a"), service: "web")
        #expect(spec.services["web"]?.virtualAddresses.count == 1, "the address outlives the tasks")
        try spec.removeService("web")
        let next = try spec.attach(Self.request("t1", networks: ["back"]), service: "new")
        #expect(spec.services["new"]?.virtualAddresses["back"]?.addresses.first == "10.0.1.4", "and not the service")
        #expect(spec.services["new"]?.virtualAddresses["back"]?.mark == 0x100)
        #expect(next.attachment?.addresses["back"]?.first == "10.0.1.5")
    }

    @Test func aWantedAddress() throws {
        var spec = try Self.spec()
        let first = try spec.attach(Self.request("t1", address: "10.255.0.77"), service: "web")
        #expect(first.attachment?.addresses["ingress"] == ["10.255.0.77", "fd25:6d65:7368::4"])
        // The address that the service would get is the one that the task wants.
        let second = try spec.attach(Self.request("t2", networks: ["back"], address: "10.0.1.4"), service: "web")
        #expect(second.attachment?.addresses["back"] == ["10.0.1.4", "fd00:1::5"])
        #expect(spec.services["web"]?.virtualAddresses["back"]?.addresses == ["10.0.1.5", "fd00:1::4"])
        for (address, words): (IPAddress, String) in [
            ("10.255.0.77", "is that of a task of service web"), ("10.0.1.4", "is that of a task 10.255.0.4"),
            ("10.0.1.5", "is the address of service web on network back"),
            ("10.255.0.1", "is the gateway's on network ingress"), ("10.255.0.2", "is the balancer's of node a"),
            ("10.255.0.0", "stands for all"), ("10.255.255.255", "stands for all"),
            ("10.9.9.9", "choose an address of 10.255.0.0/16, fd25:6d65:7368::/64, 10.0.1.0/24 or fd00:1::/64"),
        ] {
            expectRefusal(spec, words) { try $0.attach(Self.request("t3", address: address), service: "web") }
        }
        expectRefusal(spec, "in no network of the task") {
            try $0.attach(Self.request("t3", networks: [], address: "10.0.1.9"), service: "web")
        }
    }

    @Test func aNamespaceIsATaskOfAServiceOnce() throws {
        var spec = try Self.spec()
        var request = Self.request("t1")
        request.inode = 4711
        try spec.attach(request, service: "web")
        expectRefusal(
            spec, "/run/netns/t1 is attached already as task 10.255.0.4 of service web, with network ingress",
            "meshctl task detach web 10.255.0.4"
        ) {
            try $0.attach(Self.request("t1"), service: "web")
        }
        var byProcess = TaskAttachmentRequest(namespace: "/proc/7/ns/net", inode: 4711, node: "a")
        expectRefusal(spec, "by /run/netns/t1,") { try $0.attach(byProcess, service: "web") }
        // A namespace may have the inode of one that has ended.
        byProcess.ended = ["/run/netns/t1"]
        var later = spec
        #expect(try later.attach(byProcess, service: "web").address == "10.255.0.5")
        // Another node has other namespaces with the same numbers.
        byProcess.node = "b"
        try spec.attach(byProcess, service: "web")
        try spec.attach(Self.request("t1", on: "b"), service: "web")
        // Without their inodes, files are told apart by their names.
        try spec.attach(Self.request("t2", on: "b"), service: "web")
    }

    /// One container often serves two services on different ports.
    @Test func aNamespaceIsATaskOfSeveralServices() throws {
        var spec = try Self.spec()
        var request = Self.request("t1", networks: ["back"])
        request.inode = 4711
        let first = try spec.attach(request, service: "web")
        let byProcess = TaskAttachmentRequest(namespace: "/proc/7/ns/net", inode: 4711, node: "a", weight: 3)
        let second = try spec.attach(byProcess, service: "metrics")
        #expect(second.attachment == first.attachment && second.address == first.address && second.weight == 3)
        #expect(spec.taskPlacements.count == 1 && SpecCheck.faults(of: spec).isEmpty)
        #expect(spec.services["metrics"]?.virtualAddresses.keys.sorted() == ["back"])
        #expect(spec.services["metrics"]?.virtualAddresses != spec.services["web"]?.virtualAddresses)
        // Its interfaces are as they are.
        for request in [
            Self.request("t1", networks: []), Self.request("t1", networks: ["back"], address: "10.255.0.99"),
        ] {
            expectRefusal(
                spec, "attached already as task 10.255.0.4 of service metrics, with the networks ingress and back"
            ) { try $0.attach(request, service: "third") }
        }
        try spec.createNetwork("front", subnets: ["10.0.2.0/24"])
        try spec.attach(Self.request("t2", networks: ["front"]), service: "fourth")
        expectRefusal(spec, "attached already") { try $0.attach(Self.request("t1"), service: "fourth") }
        try spec.attach(Self.request("t1", networks: ["back"], address: "10.255.0.4"), service: "fourth")
        #expect(SpecCheck.faults(of: spec).isEmpty)
        // The addresses are free once the last of the services is without the task.
        for service in ["web", "fourth"] { try spec.detach(.address("10.255.0.4"), service: service) }
        #expect(spec.usedAddresses(on: "ingress").contains("10.255.0.4"))
        try spec.detach(.namespace("/run/netns/t1", node: "a"), service: "metrics")
        #expect(!spec.usedAddresses(on: "ingress").contains("10.255.0.4"))
        // The same addresses for another namespace are a fault.
        spec = try Self.spec()
        try spec.attach(request, service: "web")
        try spec.attach(byProcess, service: "metrics")
        spec.services["metrics"]!.tasks[0].attachment!.namespace = "/run/netns/t2"
        #expect(!SpecCheck.faults(of: spec).isEmpty)
    }

    @Test func whatIsNotThere() throws {
        let spec = try Self.spec()
        expectRefusal(spec, "no node \"c\"", "`meshctl node add c --address IP`") {
            try $0.attach(Self.request("t1", on: "c"), service: "web")
        }
        expectRefusal(spec, "no network \"front\"", "`meshctl network create front`") {
            try $0.attach(Self.request("t1", networks: ["back", "front"]), service: "web")
        }
        var bare = MeshSpec()
        try bare.addNode("a")
        expectRefusal(bare, "`meshctl network create ingress`") { try $0.attach(Self.request("t1"), service: "web") }
        expectRefusal(spec, "no service name") { try $0.attach(Self.request("t1"), service: "a b") }
        expectRefusal(spec, "a weight is at most") {
            var request = Self.request("t1")
            request.weight = 1 << 31
            try $0.attach(request, service: "web")
        }
    }

    @Test func aFullNetworkSaysHowManyAreInUse() throws {
        var spec = MeshSpec()
        try spec.addNode("a", gatewaySubnets: ["172.18.0.0/29"])
        try spec.createNetwork("ingress", subnets: ["10.255.0.0/28"])
        try spec.createNetwork("back", subnets: ["10.0.1.0/29"])
        for number in 0..<5 { try spec.attach(Self.request("t\(number)"), service: "web") }
        // The subnet has six hosts, of which the bridge is one.
        expectRefusal(spec, "gateway bridge of node a has no free address: 5 in use of 172.18.0.0/29") {
            try $0.attach(Self.request("more"), service: "web")
        }
        var request = Self.request("t4", networks: ["back"])
        request.defaultAddresses = ["192.0.2.1"]
        for number in 0..<3 {
            request.namespace = "/run/netns/u\(number)"
            try spec.attach(request, service: "web")
        }
        request.namespace = "/run/netns/v"
        expectRefusal(spec, "network back has no free address: 5 in use of 10.0.1.0/29") {
            try $0.attach(request, service: "web")
        }
        request.networks = []
        while spec.usedAddresses(on: "ingress").count < 13 {
            request.namespace += "v"
            try spec.attach(request, service: "web")
        }
        request.namespace = "/run/netns/w"
        expectRefusal(spec, "network ingress has no free address: 13 in use", "meshctl network inspect ingress") {
            try $0.attach(request, service: "web")
        }
    }

    @Test func numbersAndLists() {
        #expect([0, 999, 1000, 65533, 1_002_003].map(MeshSpec.text) == ["0", "999", "1,000", "65,533", "1,002,003"])
        #expect(MeshSpec.listing([]) == "" && MeshSpec.listing(["a"]) == "a")
        #expect(
            MeshSpec.listing(["a", "b"]) == "a and b" && MeshSpec.listing(["a", "b", "c"], by: "or") == "a, b or c")
        #expect(MeshSpec.listing((1...9).map(String.init)) == "1, 2, 3, 4, 5, 6, 7 and 2 others")
    }

    @Test func tasksOfTwoKindsAreNotMixed() throws {
        var spec = try Self.spec()
        try spec.addTask(SpecTask(address: "10.0.0.9"), service: "reached")
        expectRefusal(spec, "such as 10.0.0.9", "meshctl task rm reached 10.0.0.9", "attach to another service") {
            try $0.attach(Self.request("t1"), service: "reached")
        }
        try spec.attach(Self.request("t1"), service: "attached")
        expectRefusal(spec, "such as 10.255.0.4", "meshctl task attach attached") {
            try $0.addTask(SpecTask(address: "10.0.0.9"), service: "attached")
        }
        spec.services["chosen"] = MeshSpec.Service()
        spec.services["chosen"]!.chosenBalancing = .ingress
        expectRefusal(spec, "meshctl task attach chosen") {
            try $0.addTask(SpecTask(address: "10.0.0.9"), service: "chosen")
        }
        spec.services["chosen"]!.chosenBalancing = .host
        expectRefusal(spec, "chosen to be the host's") { try $0.attach(Self.request("t2"), service: "chosen") }
        try spec.addTask(SpecTask(address: "10.0.0.9"), service: "chosen")
        expectRefusal(spec, "in network back", "--address 10.0.1.9") {
            try $0.addTask(SpecTask(address: "10.0.1.9"), service: "chosen")
        }
        // Once the last task is gone, the service may have the other kind.
        try spec.removeTask("10.0.0.9", service: "reached")
        try spec.attach(Self.request("t3"), service: "reached")
        try spec.removeTask("10.255.0.5", service: "reached")
        try spec.addTask(SpecTask(address: "10.0.0.9"), service: "reached")
    }

    /// As for other tasks: `task add` with the address changes the weight.
    @Test func theWeightOfAnAttachedTask() throws {
        var spec = try Self.spec()
        var task = try spec.attach(Self.request("t1"), service: "web")
        try spec.addTask(SpecTask(address: "10.255.0.4", weight: 0), service: "web")
        task.weight = 0
        #expect(spec.services["web"]?.tasks == [task])
    }
}
