import FakeKernel
import IPVSKit
import RuleKit
import SystemPackage
import TestSupport
import Testing

@_spi(Testing) @testable import MeshKit

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// The YAML file of a mesh: what is read and written, and where faults are.
@Suite struct MeshFileTests {
    /// A mesh that has everything that can be said in a file.
    static func whole() throws -> MeshSpec {
        var spec = MeshSpec()
        spec.meshGeneration = 12
        try spec.addNode("node1", address: "192.168.5.1")
        try spec.addNode("node2", address: "192.168.5.2", gatewaySubnets: ["172.30.0.0/24"])
        spec.nodes["node2"]!.hasZones = true
        try spec.createNetwork("ingress")
        try spec.createNetwork("back", subnets: ["10.0.1.0/24"])
        try spec.createNetwork("true", subnets: ["10.0.2.0/24", "fd00:2::/64"], identifier: 77)
        spec.networks["true"]!.port = 4790
        try spec.publish(
            PortBinding(1080, .tcp), target: 80, service: "web",
            options: .init(scheduler: .maglevHashing, stickySeconds: 600, allowed: ["10.0.0.0/8", "::/0"]))
        try spec.publish(
            PortBinding(1000...1009, .udp, at: "192.168.5.1"), target: 1000, service: "web",
            options: .init(drain: .seconds(300), maxConnections: 40))
        try spec.publish(
            PortBinding(53, .sctp, at: "fd05::1"), target: 5353, service: "web",
            options: .init(stickySeconds: 90, sourceIP: .keep, drain: .seconds(0)))
        var request = TaskAttachmentRequest(
            namespace: "/run/netns/t1", inode: 4_026_532_001, node: "node1", networks: ["back", "true"],
            defaultAddresses: ["fd99::1"])
        try spec.attach(request, service: "web")
        try spec.attach(request, service: "metrics")
        request = TaskAttachmentRequest(
            namespace: "/proc/7/ns/net", inode: 4_026_532_002, container: "1e5", node: "node1", networks: [])
        try spec.attach(request, service: "web")
        request = TaskAttachmentRequest(namespace: "/odd \"name\"\u{1B}/ns", node: "node2", networks: [], weight: 0)
        try spec.attach(request, service: "web")
        try spec.addTask(SpecTask(address: "10.9.0.9", weight: 3, node: "a\u{2028}b"), service: "123")
        try spec.addTask(SpecTask(address: "fd09::9"), service: "123")
        try spec.drain(.address("10.9.0.9"), service: "123")
        try spec.drain(.container("1e5", node: "node1"), service: "web")
        spec.services["empty"] = MeshSpec.Service()
        spec.services["empty"]!.chosenBalancing = .ingress
        spec.services["empty"]!.healthCheck = try HealthCheck("http:/x?a=b#c,host=a.example,status=200,interval=1m")
        spec.services["empty"]!.scheduler = .powerOfTwo
        spec.services["empty"]!.slowStartSeconds = 90
        spec.services["empty"]!.origin = Origin("docker", on: "node2")
        spec.services["123"]!.tasks[1].origin = Origin("podman", on: "node2")
        spec.services["123"]!.tasks[1].isUnhealthy = true
        spec.services["web"]!.ports[0].origin = Origin("docker", on: "node2")
        return spec
    }

    private static let context = ApplyContext(node: "node1")

    private static func file(_ yaml: String) throws -> MeshFile { try MeshFile(yaml: yaml, name: "mesh.yaml") }

    // MARK: Export

    /// Whoever keeps such a file wants the next version to read it.
    @Test func theText() throws {
        var spec = MeshSpec()
        spec.meshGeneration = 12
        try spec.addNode("node1", address: "192.168.5.1", gatewaySubnets: ["172.18.0.0/16"])
        try spec.createNetwork("ingress")
        try spec.createNetwork("back", subnets: ["10.0.1.0/24"])
        try spec.publish(
            PortBinding(1080, .tcp), target: 80, service: "web",
            options: .init(stickySeconds: 600, allowed: ["10.0.0.0/8"], sourceIP: .nat))
        let request = TaskAttachmentRequest(
            namespace: "/run/netns/t1", inode: 4711, container: "web1", node: "node1", networks: ["back"])
        try spec.attach(request, service: "web")
        try spec.addTask(SpecTask(address: "10.9.0.9", weight: 3), service: "reached")
        #expect(
            spec.yaml == """
                # The whole mesh. `meshctl apply -f FILE` makes it so on another node.
                generation: 12
                nodes:
                  node1:
                    address: 192.168.5.1
                    number: 1
                    gateway: [172.18.0.0/16]
                networks:
                  back:
                    vni: 4097
                    port: 4789
                    subnets: [10.0.1.0/24]
                    balancers:
                      node1: [10.0.1.2]
                  ingress:
                    vni: 4096
                    port: 4789
                    subnets: [10.255.0.0/16, "fd25:6d65:7368::/64"]
                    balancers:
                      node1: [10.255.0.2, "fd25:6d65:7368::2"]
                services:
                  reached:
                    scheduler: rr
                    tasks:
                      - address: 10.9.0.9
                        weight: 3
                  web:
                    scheduler: rr
                    ports:
                      - publish: 1080:80/tcp
                        mark: 0x100
                        sticky: 10m
                        allow: [10.0.0.0/8]
                        source-ip: nat
                    tasks:
                      - address: 10.255.0.3
                        weight: 1
                        node: node1
                        attachment:
                          namespace: /run/netns/t1
                          inode: 4711
                          container: web1
                          networks:
                            back: [10.0.1.4]
                            ingress: [10.255.0.3, "fd25:6d65:7368::3"]
                          gateway: [172.18.0.2]
                    vips:
                      back:
                        addresses: [10.0.1.3]
                        mark: 0x101

                """)
    }

    @Test func exportApplyExportIsTheSame() throws {
        let spec = try Self.whole()
        let text = spec.yaml
        // On a node that knows nothing, and on the same one again.
        for present in [MeshSpec(), spec] {
            let applied = try present.applying(try Self.file(text), in: Self.context)
            #expect(applied == spec)
            #expect(applied.yaml == text)
        }
        // On one that has another mesh, of an older generation.
        var other = MeshSpec()
        other.meshGeneration = 11
        try other.ensureIngress(node: "node9")
        try other.addTask(SpecTask(address: "10.9.0.1"), service: "other")
        #expect(try other.applying(try Self.file(text), in: Self.context).yaml == text)
        // As JSON it says the same.
        let json = String(decoding: try JSONEncoder().encode(try spec.exported()), as: UTF8.self)
        #expect(try MeshSpec().applying(try Self.file(json), in: Self.context) == spec)
        #expect(json.contains(#""generation":12"#) && json.contains(#""publish":"1080:80\/tcp""#), "\(json)")
        #expect(MeshSpec().yaml.hasSuffix("generation: 0\n"))
        #expect(try MeshSpec().applying(try Self.file(MeshSpec().yaml), in: Self.context) == MeshSpec())
    }

    @Test(
        arguments: [
            ("web", "web"), ("/run/netns/t1", "/run/netns/t1"), ("10.0.0.1", "10.0.0.1"), ("10.0.0.0/8", "10.0.0.0/8"),
            ("1080:80/tcp", "1080:80/tcp"), ("10.0.0.1:1-2:3-4/udp", "10.0.0.1:1-2:3-4/udp"), ("::/0", "\"::/0\""),
            ("fd00::1", "\"fd00::1\""), ("true", "\"true\""), ("No", "\"No\""), ("123", "\"123\""),
            ("1:20", "\"1:20\""), ("1:20/", "\"1:20/\""),
            ("2001:db8::1", "\"2001:db8::1\""), ("1.2.3.4.5", "\"1.2.3.4.5\""), ("10.0.0.a", "\"10.0.0.a\""),
            ("1.5", "\"1.5\""), ("", "\"\""), ("-", "\"-\""), ("a b", "\"a b\""), ("a\"\\", "\"a\\\"\\\\\""),
            ("a\u{1B}\n", "\"a\\U0000001B\\U0000000A\""), ("é", "\"é\""), ("\u{202E}", "\"\\U0000202E\""),
            ("~", "\"~\""),
        ])
    func scalarsAreQuotedWhereTheyMustBe(text: String, scalar: String) throws {
        var spec = MeshSpec()
        spec.services[text] = MeshSpec.Service()
        #expect(spec.yaml.contains("\n  \(scalar):\n"), "\(spec.yaml)")
    }

    /// The fuzzer begins with files that are taken, and with one that is refused.
    @Test func theFuzzersSeeds() throws {
        let repository = (0..<4).reduce(FilePath(#filePath)) { path, _ in path.removingLastComponent() }
        let folder = repository.appending("Fuzz/MeshFiles")
        for (name, isTaken) in [("mesh.yaml", true), ("part.json", true), ("late-generation.yaml", false)] {
            let text = try folder.appending(name).text()
            #expect(MeshFile.take(text) == isTaken, "\(name)")
        }
    }

    // MARK: Generations

    @Test func anOlderFileIsRefused() throws {
        let text = try Self.whole().yaml
        var present = MeshSpec()
        present.meshGeneration = 13
        try present.addTask(SpecTask(address: "10.9.0.1"), service: "other")
        let error = #expect(throws: InputError.self) {
            try present.applying(try Self.file(text), in: Self.context)
        }
        #expect(
            error?.description.hasPrefix("mesh.yaml:2:13: the file has generation 12, and the mesh here has 13") == true
        )
        #expect(error?.description.contains("--force") == true)
        var context = Self.context
        context.forces = true
        let forced = try present.applying(try Self.file(text), in: context)
        #expect(forced.services["other"] == nil && forced.services["web"] != nil)
        #expect(forced.meshGeneration == 14, "newer than both")
    }

    @Test func generationsOfAnAppliedFile() throws {
        let spec = try Self.whole()
        func generation(from present: UInt64, same: Bool, file: UInt64?) throws -> UInt64 {
            var before = same ? spec : MeshSpec()
            before.meshGeneration = present
            let text = spec.yaml.replacing("generation: 12\n", with: file.map { "generation: \($0)\n" } ?? "")
            return try before.applying(try Self.file(text), in: Self.context).meshGeneration
        }
        #expect(try generation(from: 3, same: false, file: 12) == 12, "the file's where it is newer")
        #expect(try generation(from: 3, same: true, file: 12) == 12)
        #expect(try generation(from: 12, same: true, file: 12) == 12, "the same mesh")
        #expect(try generation(from: 12, same: false, file: 12) == 13, "another mesh of the same generation")
        #expect(try generation(from: 12, same: true, file: nil) == 12)
        #expect(try generation(from: 12, same: false, file: nil) == 13)
    }

    // MARK: Files written by hand

    @Test func whatAFileLeavesOutIsAllocated() throws {
        var context = Self.context
        context.facts["/run/netns/t1"] = TaskFacts(inode: 7, defaultAddresses: ["192.168.5.9"])
        context.takenMarks = [0x100]
        context.host = HostNetworks(prefixes: ["10.255.0.0/24": "eth0"])
        let spec = try MeshSpec().applying(
            try Self.file(
                """
                networks: {back: }
                services:
                  web:
                    ports: ["1080:80", {publish: "53:53/udp", sticky: off}]
                    tasks:
                      - attachment: {namespace: t1, networks: [back]}
                    vips: {back: }
                  reached:
                    tasks: [10.9.0.9]
                """), in: context)
        #expect(spec.meshGeneration == 1)
        #expect(spec.nodes["node1"]?.number == 1 && spec.networks["back"]?.subnets == ["10.0.0.0/24"])
        #expect(spec.networks["ingress"]?.subnets.first == "10.254.0.0/16")
        #expect(spec.services["web"]?.ports.map(\.mark) == [0x102, 0x101], "by the order of the file")
        #expect(spec.services["web"]?.virtualAddresses["back"] == VirtualAddress(addresses: ["10.0.0.3"], mark: 0x103))
        let task = try #require(spec.services["web"]?.tasks.first)
        #expect(task.attachment?.addresses["back"] == ["10.0.0.4"] && task.attachment?.inode == 7)
        #expect(task.attachment?.defaultAddresses == ["192.168.5.9"] && task.attachment?.gatewayAddresses.count == 1)
        #expect(spec.services["reached"]?.tasks == [SpecTask(address: "10.9.0.9")])
        #expect(SpecCheck.faults(of: spec) == [])
        // Again, which changes nothing.
        let again = try Self.file(
            "services: {web: {tasks: [{attachment: {namespace: t1, networks: [back]}}]}, reached: {tasks: [10.9.0.9]}}")
        #expect(try spec.applying(again, in: Self.context) == spec)
    }

    @Test func whatAFileDoesNotNameStays() throws {
        let spec = try Self.whole()
        let file = try Self.file(
            """
            services:
              web:
                scheduler: lc
                ports: ["1080:8080/tcp", "1081:81"]
            """)
        let applied = try spec.applying(file, in: Self.context)
        var expected = spec
        expected.meshGeneration = 13
        expected.services["web"]!.scheduler = .leastConnection
        expected.services["web"]!.ports[2] = PublishedPort(
            listening: PortBinding(1080, .tcp), target: 8080, mark: 0x100)
        expected.services["web"]!.ports.append(
            PublishedPort(
                listening: PortBinding(1081, .tcp), target: 81, mark: try MarkAllocator.next(avoiding: spec.marks)))
        #expect(applied == expected)
        var context = Self.context
        context.prunes = true
        let pruned = try spec.applying(file, in: context)
        #expect(pruned.services.keys.sorted() == ["web"] && pruned.services["web"]?.tasks == [])
        #expect(pruned.services["web"]?.ports.count == 2 && pruned.services["web"]?.ports.first?.mark == 0x100)
        #expect(pruned.nodes == spec.nodes && pruned.networks == spec.networks, "no section, nothing to prune")
    }

    @Test func aTaskKeepsWhatItHas() throws {
        var spec = try Self.whole()
        let kept = try spec.applying(
            try Self.file("services: {web: {tasks: [{weight: 9, attachment: {namespace: t1}}]}}"), in: Self.context)
        var expected = try #require(spec.services["web"]?.tasks.first)
        expected.weight = 9
        #expect(kept.services["web"]?.tasks.first == expected && kept.services["web"]?.tasks.count == 3)
        // The other service of the namespace would lose it.
        let error = #expect(throws: InputError.self) {
            try spec.applying(
                try Self.file("services: {web: {tasks: [{attachment: {namespace: t1, networks: []}}]}}"),
                in: Self.context)
        }
        #expect(error?.description.contains("task 10.255.0.4 of service metrics") == true)
        spec.services["metrics"] = nil
        let moved = try spec.applying(
            try Self.file(
                "services: {web: {tasks: [{address: 10.255.0.99, attachment: {namespace: t1, networks: []}}]}}"),
            in: Self.context)
        #expect(moved.services["web"]?.tasks.map(\.address) == ["10.255.0.5", "10.255.0.6", "10.255.0.99"])
        #expect(moved.services["web"]?.tasks.last?.attachment?.addresses.keys.sorted() == ["ingress"])
    }

    /// A fault of the present mesh that has nothing to do with the file does not stand in its way.
    @Test func faultsElsewhereAreNoConcern() throws {
        var spec = MeshSpec()
        spec.services["a b"] = MeshSpec.Service()
        spec.services["a b"]!.ports = [
            PublishedPort(listening: PortBinding(80, .tcp), target: 80, mark: 0x100),
            PublishedPort(listening: PortBinding(80...81, .tcp), target: 80, mark: 0x100),
        ]
        #expect(SpecCheck.faults(of: spec).count == 2)
        let applied = try spec.applying(try Self.file("services: {web: {tasks: [10.9.0.9]}}"), in: Self.context)
        #expect(applied.services.count == 2)
        let error = #expect(throws: InputError.self) {
            try spec.applying(try Self.file("services:\n  web: {ports: [80:8080]}"), in: Self.context)
        }
        #expect(error?.description.contains("mesh.yaml:2:17: 80/tcp overlaps") == true, "\(String(describing: error))")
    }

    @Test func subnetsOfTheHostAreRefusedWhereTheyAreNew() throws {
        let spec = try Self.whole()
        var context = Self.context
        for (prefix, words): (IPPrefix, String) in [
            ("10.0.0.0/16", "mesh.yaml:17:15: 10.0.1.0/24 overlaps 10.0.0.0/16"),
            ("172.18.4.0/24", "mesh.yaml:7:15: 172.18.0.0/16 overlaps 172.18.4.0/24, to which the interface eth0"),
        ] {
            context.host.prefixes = [prefix: "eth0"]
            let error = #expect(throws: InputError.self) {
                try MeshSpec().applying(try Self.file(spec.yaml), in: context)
            }
            #expect(error?.description.hasPrefix(words) == true, "\(String(describing: error)) in\n\(spec.yaml)")
            #expect(try spec.applying(try Self.file(spec.yaml), in: context) == spec, "it has them already")
        }
        // Another node's gateway bridge is no concern of this host.
        context.host.prefixes = ["172.30.0.0/24": "eth0"]
        #expect(try MeshSpec().applying(try Self.file(spec.yaml), in: context) == spec)
    }

    // MARK: Faults

    struct Fault: Sendable, CustomTestStringConvertible {
        var yaml: String
        var place: String
        var words: String
        var testDescription: String { words }

        init(_ yaml: String, _ place: String, _ words: String) {
            self.yaml = yaml
            self.place = place
            self.words = words
        }
    }

    private static let faults: [Fault] = [
        // No YAML.
        Fault("", "", "the file is empty"),
        Fault("nodes: {a: ", "2:1", "no YAML"),
        Fault("services:\n  web:\n scheduler: rr", "3:2", "no YAML"),
        Fault("services:\n\tweb:", "2:1", "no YAML"),
        // A few lines of aliases can stand for more than any memory holds.
        Fault("services: *no", "1:11", "aliases (*name) are not taken"),
        Fault("a: &a [x, x]\nb: &b [*a, *a]\n? *b\n: 0", "1:4", "anchors (&name)"),
        Fault("services:\r\n  {\"a\":*b}", "2:8", "not taken"), Fault("# &a\n# *b\u{85}c: *d", "3:4", "not taken"),
        Fault("a: '\n  # *c\n ' \nb: \"x\" \nc: [1,*d]", "5:7", "not taken"),
        Fault("a: 1\n---\nb: 2", "2:1", "no YAML"),
        Fault("services:\n  web: {scheduler: rr}\n  web: {scheduler: rr}", "2:3", "\"web\" is written twice"),
        Fault("nodes: \u{1}", "1:8", "no YAML"),
        Fault(String(repeating: "[", count: 100_000), "1:1", "nesting level"),
        // Keys and types.
        Fault("service: {}", "1:1", "has no \"service\"; it has generation, nodes, networks and services"),
        Fault("- a", "1:1", "expected a mapping of generation, nodes, networks and services, and found a list"),
        Fault("generation: -1", "1:13", "a number from 0 to 4503599627370496, and found \"-1\""),
        Fault("generation: 18446744073709551615", "1:13", "a number from 0 to 4503599627370496"),
        Fault("nodes: {a: {number: 32769}}", "1:21", "a number from 1 to 32768"),
        Fault("generation: soon", "1:13", "found \"soon\""),
        Fault("nodes: [a]", "1:8", "expected a mapping of nodes by name, and found a list"),
        Fault("nodes:\n  [a]: {}", "2:3", "expected a name as a key"),
        Fault(
            "nodes:\n  a: {adress: 10.0.0.1}", "2:7",
            "a node has no \"adress\"; it has address, number, gateway and zones"),
        Fault(
            "nodes:\n  a: 5", "2:6", "expected a mapping of address, number, gateway and zones, and found \"5\""),
        Fault(
            "nodes:\n  a: {zones: perhaps}", "2:14",
            "expected whether the node has conntrack zones, true or false, and found \"perhaps\""),
        Fault("services:\n  web: {tasks: 10.0.0.1}", "2:16", "expected a list of tasks, and found \"10.0.0.1\""),
        Fault("services:\n  web:\n    ports:\n      - {mark: 256}", "4:9", "a port needs publish"),
        Fault("services:\n  web: {ports: [{publish: [80]}]}", "2:27", "and found a list"),
        Fault("services:\n  web: {tasks: [{weight: 1}]}", "2:17", "a task needs an address"),
        Fault("services:\n  web: {tasks: [{address: }]}", "2:27", "and found nothing"),
        // Names, addresses and numbers.
        Fault("nodes:\n  a b: {}", "2:3", "is no node name"),
        Fault("networks:\n  host: {}", "2:3", "choose another name"),
        Fault("services:\n  -x: {}", "2:3", "is no service name"),
        Fault(
            "nodes:\n  a: {address: 10.0.0}", "2:16", "expected an address, such as 192.168.5.1, and found \"10.0.0\""),
        Fault("nodes:\n  a: {address: 127.0.0.1}", "2:16", "loopback"),
        Fault("nodes:\n  a: {number: 0}", "2:15", "a number from 1"),
        Fault(
            "nodes:\n  a: {address: 10.1.0.1}\n  b: {address: fd05::2}", "3:16",
            "fd05::2 is an IPv6 address, and node a is at 10.1.0.1"),
        Fault("nodes:\n  a: {gateway: [10.1.0.1/16]}", "2:17", "10.1.0.1 is an address in 10.1.0.0/16: write that"),
        Fault("networks:\n  a: {subnets: [10.1.0.0/30]}", "2:17", "too small"),
        Fault("networks:\n  a: {subnets: [10.1.0.0/24, 10.2.0.0/24]}", "2:30", "one subnet of each family"),
        Fault("networks:\n  a: {subnets: []}", "2:16", "needs a subnet"),
        Fault("networks:\n  a: {vni: 0x1000000}", "2:12", "a VNI, a number from 1 to 16777215"),
        Fault("networks:\n  a: {port: 0}", "2:13", "a UDP port, a number from 1 to 65535"),
        Fault("services:\n  web: {scheduler: fast}", "2:20", "no scheduler \"fast\": write rr"),
        Fault("services:\n  web: {scheduler: dh}", "2:20", "they would all go to one task"),
        Fault("services:\n  web: {balancer: mine}", "2:19", "write host or ingress"),
        Fault("services:\n  web: {ports: ['1080']}", "2:17", "with a colon between"),
        Fault("services:\n  web: {ports: [{publish: 1080:80/icmp}]}", "2:27", "it is tcp, udp or sctp"),
        Fault("services:\n  web: {ports: [{publish: 127.0.0.1:1080:80}]}", "2:27", "is the loopback address"),
        Fault("services:\n  web: {ports: [{publish: 1-3:65535}]}", "2:27", "ports end at 65535"),
        Fault("services:\n  web: {ports: [{publish: 80:80, mark: 0}]}", "2:40", "a firewall mark"),
        Fault("services:\n  web: {ports: [{publish: 80:80, sticky: soon}]}", "2:42", "write a time"),
        Fault("services:\n  web: {ports: [{publish: 80:80, allow: [10.0.0.1/8]}]}", "2:42", "write that"),
        Fault(
            "services:\n  web: {ports: [{publish: 80:80, allow: [224.0.0.0/4]}]}", "2:42", "no address that a client"),
        Fault("services:\n  web: {ports: [{publish: 80:80, source-ip: me}]}", "2:45", "write auto, keep or nat"),
        Fault("services:\n  web: {ports: [{publish: 80:80, drain: soon}]}", "2:41", "or off, or unlimited"),
        Fault("services:\n  web: {ports: [{publish: 80:80, max-conns: 0}]}", "2:45", "a number from 1 to 2147483647"),
        Fault("services:\n  web: {health: ping}", "2:17", "is no health check: write tcp, udp or http:/PATH"),
        Fault("services:\n  web: {slow-start: soon}", "2:21", "write a time from 1s to 23d"),
        Fault(
            "services:\n  web: {slow-start: 30s}", "2:21",
            "tasks of service web cannot start slowly with the scheduler rr, which does not go by weights: choose wrr, wlc, "
                + "sed, nq or twos, or switch the slow start off"),
        Fault("services:\n  web:\n    slow-start: 30s\n    scheduler: sh", "4:16", "would move clients of other tasks"),
        Fault("services:\n  web: {source: docker}", "2:17", "is no source and node, as in docker@node1"),
        Fault("services:\n  web: {tasks: [{address: 10.0.0.1, draining: 2}]}", "2:47", "true or false"),
        Fault("services:\n  web: {tasks: [127.0.0.1]}", "2:17", "IPVS cannot balance to it"),
        Fault("services:\n  web: {tasks: [{address: 10.0.0.1, weight: -1}]}", "2:45", "the weight of the task"),
        Fault("services:\n  web: {tasks: [{attachment: {namespace: a/b}}]}", "2:42", "neither a name nor a path"),
        Fault(
            "services:\n  web: {tasks: [{attachment: {namespace: t, networks: {back: [10.0.1.2]}}}]}", "2:55",
            "an address on network ingress"),
        Fault(
            "services:\n  web:\n    tasks:\n      - attachment: {namespace: t}\n      - attachment: {namespace: t}",
            "5:9",
            "attached already"),
        Fault("services:\n  web: {tasks: [{attachment: {}}]}", "2:30", "an attachment needs namespace"),
        // Twice.
        Fault("services:\n  web:\n    ports: [80:80, 80:81]", "3:20", "80/tcp is written twice"),
        Fault("services:\n  web:\n    tasks: [10.0.0.1, 10.0.0.1]", "3:23", "task 10.0.0.1 is written twice"),
        Fault(
            "services:\n  a: {ports: [{publish: 80:80, mark: 0x100}]}\n  b: {ports: [{publish: 81:80, mark: 256}]}",
            "3:38", "mark 0x100 is also that of port 80/tcp of service a"),
        Fault(
            "services:\n  b: {ports: [{publish: 80:80, mark: 0x100}]}\n  a: {ports: [{publish: 81:80, mark: 256}]}",
            "3:38", "mark 0x100 is also that of port 80/tcp of service b"),
        Fault("services:\n  a: {ports: [{publish: 80:80, mark: 0x4000}]}", "2:38", "another program's"),
        Fault("services:\n  a: {ports: [{publish: 80:80, mark: 255}]}", "2:38", "marks begin at 0x100"),
        Fault("nodes:\n  a: {number: 1}\n  b: {number: 1}", "3:15", "number 1 is also that of node a"),
        Fault("nodes:\n  a: {address: 10.0.0.1}\n  b: {address: 10.0.0.1}", "3:16", "10.0.0.1 is also that of node a"),
        Fault("networks:\n  a: {vni: 5}\n  b: {vni: 5}", "3:12", "VNI 5 is also that of network a"),
        // Overlaps.
        Fault(
            "services:\n  a: {ports: [80-90:80]}\n  b: {ports: [85:85]}", "3:15",
            "85/tcp overlaps 80-90/tcp of service a"),
        Fault(
            "services:\n  a: {ports: [85:85]}\n  b: {ports: [80-90:80]}", "3:15",
            "80-90/tcp overlaps 85/tcp of service a"),
        Fault(
            "services:\n  a: {balancer: ingress, ports: ['10.0.0.1:85:85']}\n"
                + "  b: {balancer: ingress, ports: ['10.0.0.2:80-90:80']}", "3:34", "have one number"),
        Fault(
            "networks:\n  a: {subnets: [10.1.0.0/16]}\n  b: {subnets: [10.1.2.0/24]}", "3:17",
            "10.1.2.0/24 overlaps 10.1.0.0/16 of network a"),
        Fault(
            "nodes:\n  n: {gateway: [10.1.0.0/16]}\nnetworks:\n  b: {subnets: [10.1.2.0/24]}", "4:17",
            "10.1.2.0/24 overlaps 10.1.0.0/16 of the gateway bridge of node n"),
        Fault(
            "nodes:\n  n: {address: 10.1.2.3}\nnetworks:\n  b: {subnets: [10.1.2.0/24]}", "2:16",
            "10.1.2.3 is in 10.1.2.0/24 of network b"),
        Fault(
            "networks:\n  b: {subnets: [10.1.2.0/24]}\nservices:\n  a: {tasks: [10.1.2.9]}", "4:15",
            "10.1.2.9 is in network b"),
        // References.
        Fault(
            "networks:\n  b:\n    subnets: [10.1.2.0/24]\n    balancers: {n: [10.1.2.2]}", "4:17", "there is no node n"),
        Fault(
            "nodes: {n: }\nnetworks:\n  b:\n    subnets: [10.1.2.0/24]\n    balancers: {n: [10.1.3.2]}", "5:21",
            "10.1.3.2 is not in 10.1.2.0/24 of network b"),
        Fault(
            "nodes: {n: }\nnetworks:\n  b:\n    subnets: [10.1.2.0/24]\n    balancers: {n: [10.1.2.1]}", "5:21",
            "the gateway's on network b"),
        Fault(
            "nodes: {n: }\nnetworks:\n  b:\n    subnets: [10.1.2.0/24]\n    balancers: {n: []}", "5:17",
            "has no address of 10.1.2.0/24"),
        Fault(
            "services:\n  a:\n    vips:\n      gone: {addresses: [10.1.2.3], mark: 256}", "4:7",
            "there is no network gone"),
        Fault(
            "networks: {ingress: {subnets: [10.255.0.0/16]}}\nservices:\n  a:\n    tasks:\n"
                + "      - node: gone\n        attachment: {namespace: t, networks: {ingress: [10.255.0.9]}}", "5:15",
            "there is no node gone"),
        Fault(
            "services:\n  a:\n    tasks:\n      - attachment: {namespace: t, networks: [gone]}", "4:9",
            "there is no network \"gone\""),
        Fault(
            "services:\n  a:\n    tasks:\n      - attachment: {namespace: t}\n        node: gone", "4:9",
            "`meshctl node add gone --address IP`"),
        Fault(
            "services:\n  a:\n    tasks:\n      - 10.9.0.9\n      - attachment: {namespace: t}", "5:9",
            "tasks that the host's routes reach"),
        Fault(
            "services:\n  a:\n    balancer: ingress\n    tasks: [10.9.0.9]", "4:13", "reaches attached tasks only"),
    ]

    @Test(arguments: faults) func faultsAreNamedWithTheirPlace(fault: Fault) throws {
        let error = #expect(throws: InputError.self) {
            _ = try MeshSpec().applying(try Self.file(fault.yaml), in: Self.context)
        }
        let words = error?.description ?? ""
        let place = fault.place.isEmpty ? "mesh.yaml: " : "mesh.yaml:\(fault.place): "
        #expect(words.hasPrefix(place), "\(words)\nfor\n\(fault.yaml.prefix(300))")
        #expect(words.contains(fault.words), "\(words)\nfor\n\(fault.yaml.prefix(300))")
    }

    /// Faults of attached tasks in a file that is otherwise whole: each is made by one replacement.
    @Test(
        arguments: [
            (
                "ingress: [10.255.0.5, \"fd25:6d65:7368::5\"]", "ingress: [10.255.0.4, \"fd25:6d65:7368::5\"]",
                "10.255.0.4"
            ),
            ("ingress: [10.255.0.4,", "ingress: [10.255.0.2,", "10.255.0.2 is also that of the balancer of node node1"),
            ("back: [10.0.1.5]", "back: [10.0.1.4]", "10.0.1.4 is also that of"),
            ("back: [10.0.1.5]", "back: [10.0.1.5, 10.0.1.6]", "two addresses of 10.0.1.0/24"),
            ("back: [10.0.1.5]", "gone: [10.0.1.5]", "there is no network gone"),
            ("- address: 10.255.0.4", "- address: 10.255.0.9", "not the first address of the task on network ingress"),
            ("gateway: [172.18.0.2]", "gateway: [172.18.0.2, 172.18.0.2]", "172.18.0.2 is also that of"),
            ("gateway: [172.18.0.2]", "gateway: [172.19.0.2]", "not for tasks on the gateway bridge of node node1"),
            ("gateway: [172.18.0.2]", "gateway: [172.18.0.1]", "not for tasks on the gateway bridge of node node1"),
            ("addresses: [10.0.1.4]", "addresses: [10.0.3.4]", "10.0.3.4 is not in 10.0.1.0/24"),
            ("      back:\n        addresses", "      ingress:\n        addresses", "leave it out"),
            ("node: node2", "node: node1\n          # moved", "is also that of"),
        ])
    func faultsOfAttachedTasks(old: String, new: String, words: String) throws {
        // With the second task by the same name, which is its own only on another node.
        let text = try Self.whole().yaml.replacing("\"/odd \\\"name\\\"\\U0000001B/ns\"", with: "/run/netns/t1")
        #expect(text.contains(old), "\(text)")
        _ = try MeshSpec().applying(try Self.file(text), in: Self.context)
        let error = #expect(throws: InputError.self) {
            try MeshSpec().applying(
                try Self.file(text.replacing(old, with: new, maxReplacements: 1)), in: Self.context)
        }
        let description = try #require(error?.description)
        #expect(description.contains(words), "\(description) in\n\(text)")
        #expect(try #/^mesh\.yaml:\d+:\d+: /#.prefixMatch(in: description) != nil)
    }

    // MARK: Mesh

    @Test func applyingAFileToAMesh() async throws {
        let first = FakeNode()
        first.kernel.withState { $0.addTask("/run/netns/t1", inode: 7) }
        let mesh = Mesh(store: first.specs, ledger: first.ledgers, kernel: first.kernel, nodeName: "node1")
        let file = try Self.file(
            """
            nodes: {node1: {address: 192.168.5.1}, node2: {address: 192.168.5.2}}
            services:
              web:
                tasks: [{attachment: {namespace: t1}}]
            """)
        let preview = try await mesh.preview(file)
        #expect(preview.differences.contains { $0.hasPrefix("+ node node2: at 192.168.5.2, number 2") })
        #expect(preview.differences.contains { $0.hasPrefix("+ service web, task 10.255.0.4: weight 1, node node1") })
        #expect(try await first.specs.load() == MeshSpec(), "to look is not to change")
        let applied = try await mesh.apply(file).change
        #expect(applied.didChange && applied.spec.meshGeneration == 1)
        #expect(applied.spec.services["web"]?.tasks.first?.attachment?.inode == 7)
        #expect(try await mesh.preview(file).differences == [])
        _ = try await mesh.addNode("node3", address: nil)
        let text = try await first.specs.load().yaml
        #expect(text.contains("generation: 2\n"))

        // The other node takes the mesh as it is, and edits it.
        let second = FakeNode()
        let other = Mesh(store: second.specs, ledger: second.ledgers, kernel: second.kernel, nodeName: "node2")
        _ = try await other.apply(try Self.file(text))
        #expect(try await second.specs.load().yaml == text)
        _ = try await other.removeNode("node3")
        let newer = try await second.specs.load().yaml
        _ = try await mesh.apply(try Self.file(newer))
        #expect(try await first.specs.load().yaml == newer)
        let error = await #expect(throws: InputError.self) { try await mesh.apply(try Self.file(text)) }
        #expect(error?.description.contains("has generation 2, and the mesh here has 3") == true)
        _ = try await mesh.apply(try Self.file(text), forcing: true)
        #expect(try await first.specs.load().nodes["node3"] != nil)
        #expect(try await first.specs.load().meshGeneration == 4)
        // After a reset the mesh can be made from any file.
        _ = try await mesh.reset()
        _ = try await mesh.apply(try Self.file(text))
        #expect(try await first.specs.load().yaml == text)
    }

    @Test func aNamespaceThatIsNotThereIsNamedWithItsPlace() async throws {
        let node = FakeNode()
        let mesh = Mesh(store: node.specs, ledger: node.ledgers, kernel: node.kernel, nodeName: "node1")
        let error = await #expect(throws: InputError.self) {
            try await mesh.apply(try Self.file("services:\n  web: {tasks: [{attachment: {namespace: t9}}]}"))
        }
        #expect(error?.description == "mesh.yaml:2:17: there is no network namespace at /run/netns/t9")
        #expect(try await node.specs.load() == MeshSpec())
    }
}
