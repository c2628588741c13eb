import IPVSKit
import RuleKit
import Testing

@testable import MeshKit

/// Faults of a file: each is named with its place, and with what is expected there.
extension MeshFileTests {
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
        Fault("service: {}", "1:1", "has no \"service\"; it has generation, edits, nodes, networks and services"),
        Fault("- a", "1:1", "expected a mapping of generation, edits, nodes, networks and services, and found a list"),
        Fault("generation: -1", "1:13", "a number from 0 to 4503599627370496, and found \"-1\""),
        Fault("generation: 18446744073709551615", "1:13", "a number from 0 to 4503599627370496"),
        Fault("nodes: {a: {number: 32769}}", "1:21", "a number from 1 to 32768"),
        Fault("generation: soon", "1:13", "found \"soon\""),
        Fault("edits: {a: 1}", "1:8", "edits say with the generation which mesh"),
        Fault("generation: 1\nedits: 5", "2:8", "a mapping of nodes and how many edits each has made, and found \"5\""),
        Fault("generation: 1\nedits: {a: 0}", "2:12", "made, a number from 1 to 4503599627370496, and found \"0\""),
        Fault("generation: 1\nedits: {a: 18446744073709551616}", "2:12", "how many edits node a has made, a number"),
        Fault("generation: 1\nedits:\n  a: 1\n  -b: 1", "4:3", "is no node name"),
        Fault("generation: 1\nedits: {a: 1, a: 2}", "2:9", "\"a\" is written twice"),
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
            "networks:\n  a: {port: 1080}\nservices:\n  b: {ports: [1000-1100:1000/udp]}", "4:15",
            "1000-1100/udp is taken: network a sends its packets between the nodes to UDP port 1080"),
        Fault(
            "services:\n  b: {ports: [1080:80/udp]}\nnetworks:\n  a: {port: 1080}", "4:13",
            "UDP port 1080 of network a is published as 1080/udp by service b"),
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
            (
                "gateway: [172.18.0.2]", "gateway: [172.18.0.2, 172.18.0.9]",
                "has two IPv4 addresses on the gateway bridge"
            ),
            (
                "default: [\"fd99::1\"]", "default: [224.0.0.1]",
                "224.0.0.1 is no address by which a default route can lead"
            ),
            (
                "default: [\"fd99::1\"]", "default: [127.0.0.1]",
                "127.0.0.1 is no address by which a default route can lead"
            ),
            (
                "default: [\"fd99::1\"]", "default: [\"fd99::1\", \"fd99::2\"]",
                "has two IPv6 addresses of default routes"
            ),
            ("default: [\"fd99::1\"]", "default: [10.255.0.4]", "10.255.0.4 is an address of task 10.255.0.4"),
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
}
