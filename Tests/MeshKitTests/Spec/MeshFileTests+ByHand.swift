import IPVSKit
import RuleKit
import Testing

@testable import MeshKit

/// Files written by hand.
extension MeshFileTests {
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
        expected.version = MeshVersion(generation: 13, edits: EditVector(["node1": 8, "node2": 5]))
        expected.services["web"]!.scheduler = .leastConnection
        expected.services["web"]!.ports[2].target = 8080
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

    /// An allow-list, for example, must not vanish because somebody names the port again.
    @Test func aPortAndATaskKeepWhatTheFileDoesNotSay() throws {
        let spec = try Self.whole()
        let same = try Self.file(
            """
            services:
              web: {ports: ["1080:80", {publish: "192.168.5.1:1000-1009:1000-1009/udp"}]}
              "123": {tasks: [10.9.0.9]}
            """)
        let differences = try spec.applying(same, in: Self.context).differences(from: spec)
        #expect(differences == [])
        var odd = spec
        odd.services["web"]!.tasks[0].isDraining = true
        odd.services["web"]!.tasks[0].weight = 5
        let attached = try Self.file(
            "services: {web: {tasks: [{attachment: {namespace: t1}}]}, metrics: {tasks: [{attachment: {namespace: t1}}]}}"
        )
        #expect(try odd.applying(attached, in: Self.context).services == odd.services)
        // Nobody would take back what the source has said of a task that is the operator's from now on.
        let taken = try spec.applying(try Self.file("services: {'123': {tasks: ['fd09::9']}}"), in: Self.context)
        #expect(taken.services["123"]?.tasks.last?.isUnhealthy == false)
        let off = try Self.file(
            """
            services:
              web:
                ports:
                  - {publish: "1080:80", sticky: off, allow: []}
                  - {publish: "192.168.5.1:1000-1009:1000-1009/udp", max-conns: off}
                  - {publish: "[fd05::1]:53:5353/sctp", source-ip: auto}
              "123": {tasks: [{address: 10.9.0.9, weight: 1, draining: false}]}
            """)
        let applied = try spec.applying(off, in: Self.context)
        let ports = try #require(applied.services["web"]?.ports)
        #expect(ports.map(\.stickySeconds) == [90, nil, nil] && ports.allSatisfy { $0.allowed == [] })
        #expect(ports.map(\.maxConnections) == [nil, nil, nil] && ports.allSatisfy { $0.sourceIP == .auto })
        #expect(ports.map(\.drain) == spec.services["web"]!.ports.map(\.drain))
        let task = try #require(applied.services["123"]?.tasks.first)
        #expect(task.weight == 1 && !task.isDraining && task.node == "a\u{2028}b")
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
            ("10.0.0.0/16", "mesh.yaml:18:15: 10.0.1.0/24 overlaps 10.0.0.0/16"),
            ("172.18.4.0/24", "mesh.yaml:8:15: 172.18.0.0/16 overlaps 172.18.4.0/24, to which the interface eth0"),
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
}
