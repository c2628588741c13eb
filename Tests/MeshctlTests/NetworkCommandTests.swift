import SystemPackage
import TestSupport
import Testing

/// The commands of nodes, networks and attached tasks, as far as they work without a kernel with IPVS.
@Suite struct NetworkCommandTests {
    private func meshctl(
        _ arguments: String..., state: String = "/nonexistent", node: String = ""
    ) async throws -> Ran {
        try await Shell.run(
            [try BuiltProducts.path("meshctl")] + arguments,
            environment: ["MESHCTL_STATE_DIR": state, "COLUMNS": "100", "MESHCTL_NODE": node])
    }

    /// Two nodes, `ingress` and a user network, an attached task on each node, and a service that is not attached.
    private static func withStore(_ body: (String) async throws -> Void) async throws {
        try await TemporaryDirectory.with { directory in
            try directory.appending("mesh.json").write(
                #"""
                {"schema":4,"generation":3,"meshGeneration":5,
                "nodes":{
                  "node1":{"address":"192.168.5.1","number":1,"gatewaySubnets":["172.18.0.0/16","fd18:6d65:7368::/64"]},
                  "node2":{"number":2,"gatewaySubnets":["172.18.0.0/16"]}},
                "networks":{
                  "back":{"identifier":4097,"port":4789,"subnets":["10.0.1.0/24"],
                    "balancers":{"node1":["10.0.1.2"],"node2":["10.0.1.3"]}},
                  "ingress":{"identifier":4096,"port":4789,"subnets":["10.255.0.0/16"],
                    "balancers":{"node1":["10.255.0.2"],"node2":["10.255.0.3"]}}},
                "services":{
                  "web":{"scheduler":"rr","ports":[{"port":1080,"target":80,"transport":"tcp","mark":256}],"tasks":[
                    {"address":"10.255.0.4","weight":1,"node":"node1","attachment":{"namespace":"/run/netns/t1",
                      "inode":7,"addresses":{"ingress":["10.255.0.4"],"back":["10.0.1.5"]},
                      "gatewayAddresses":["172.18.0.3"],"defaultAddresses":[]}},
                    {"address":"10.255.0.5","weight":2,"node":"node2","attachment":{"namespace":"/proc/7/ns/net",
                      "container":"web1","addresses":{"ingress":["10.255.0.5"]},"gatewayAddresses":[],"defaultAddresses":["192.0.2.9"]}}],
                    "virtualAddresses":{"back":{"addresses":["10.0.1.4"],"mark":257}}},
                  "dns":{"scheduler":"mh","ports":[],"tasks":[{"address":"10.0.0.9","weight":1}]}}}
                """#)
            try await body(directory.string)
        }
    }

    @Test(
        arguments: [
            ["node", "add"], ["node", "ls"], ["node", "rm"], ["network", "create"], ["network", "ls"],
            ["network", "inspect"], ["network", "rm"], ["network", "connect"], ["network", "disconnect"],
            ["task", "attach"], ["task", "detach"], ["export"], ["apply"],
        ])
    func everyCommandHasAnExample(command: [String]) async throws {
        let ran = try await Shell.run([try BuiltProducts.path("meshctl")] + command + ["--help"])
        #expect(ran.status == 0 && ran.output.contains("EXAMPLE") && ran.output.contains("--node <name>"), "\(ran)")
    }

    @Test func theTables() async throws {
        try await Self.withStore { state in
            let table1 = try await meshctl("node", "ls", state: state, node: "node2").output
            #expect(
                table1 == """
                    NODE               ADDRESS      GATEWAY SUBNETS                    TASKS
                    node1              192.168.5.1  172.18.0.0/16,fd18:6d65:7368::/64      1
                    node2 (this node)  -            172.18.0.0/16                          1

                    """)
            let table2 = try await meshctl("network", "ls", state: state).output
            #expect(
                table2 == """
                    NETWORK  DRIVER  SCOPE   VNI  SUBNETS        TASKS
                    ingress  vxlan   mesh   4096  10.255.0.0/16      2
                    back     vxlan   mesh   4097  10.0.1.0/24        1

                    """)
            let table3 = try await meshctl("network", "inspect", "back", "--node", "node1", state: state).output
            #expect(
                table3 == """
                    NETWORK   back
                    driver    vxlan
                    scope     mesh
                    VNI       4097
                    UDP port  4789
                    subnets   10.0.1.0/24
                    gateways  10.0.1.1
                    balancer  10.0.1.2

                    SERVICE  ADDRESSES  MARK
                    web      10.0.1.4   0x101

                    TASK  NODE   HARDWARE ADDRESS   ADDRESSES
                    web   node1  02:42:0a:00:01:05  10.0.1.5

                    PEER   ADDRESS
                    node2  -

                    """)
            let table4 = try await meshctl("task", "ls", state: state, node: "node1").output
            #expect(
                table4 == """
                    SERVICE  ADDRESS     WEIGHT  CLIENT IP  NODE   NETWORKS      CONTAINER
                    dns      10.0.0.9         1  -          -      -             -
                    web      10.255.0.4       1  kept       node1  ingress,back  -
                    web      10.255.0.5       2  kept       node2  ingress       web1

                    """)
            let table5 = try await meshctl("service", "ls", state: state).output
            #expect(
                table5 == """
                    SERVICE  PORTS         TASKS  SCHEDULER  NETWORKS
                    dns                        1  mh         -
                    web      1080->80/tcp      2  rr         ingress,back

                    """)
            let table6 = try await meshctl("service", "inspect", "web", state: state, node: "node1").output
            #expect(
                table6 == """
                    web, scheduler rr

                    PORT          MARK
                    1080->80/tcp  0x100

                    TASK        WEIGHT  LOCAL  NODE   ADDRESSES
                    10.255.0.4       1  yes    node1  ingress 10.255.0.4  back 10.0.1.5
                    10.255.0.5       2  no     node2  ingress 10.255.0.5

                    NETWORK  ADDRESSES  MARK
                    back     10.0.1.4   0x101

                    """)
        }
    }

    @Test func theJSON() async throws {
        try await Self.withStore { state in
            let network = try await meshctl(
                "network", "inspect", "ingress", "--format", "json", state: state, node: "node1")
            for field in [
                "\"driver\" : \"vxlan\"", "\"scope\" : \"mesh\"", "\"identifier\" : 4096",
                "\"hardwareAddress\" : \"02:42:0a:ff:00:04\"", "\"node\" : \"node2\"",
            ] { #expect(network.output.contains(field), "no \(field) in \(network.output)") }
            let task = try await meshctl("task", "ls", "web", "--format", "json", state: state, node: "node1")
            for field in [
                "\"attachment\" : {", "\"gatewayAddresses\" : [", "\"namespace\" : \"/run/netns/t1\"",
                "\"container\" : \"web1\"",
            ] {
                #expect(task.output.contains(field), "no \(field) in \(task.output)")
            }
            let service = try await meshctl("service", "inspect", "web", "--format", "json", state: state)
            #expect(service.output.contains("\"balancing\" : \"ingress\""))
            #expect(service.output.contains("\"virtualAddresses\" : {"))
            let node = try await meshctl("node", "ls", "--format", "json", state: state, node: "node2")
            #expect(node.output.contains("\"own\" : true") && node.output.contains("\"number\" : 2"))
        }
    }

    /// What the engine says comes before anything that needs a kernel or root.
    @Test func containersThatCannotBeAttached() async throws {
        try await Self.withStore { state in
            let folder = FilePath(state)
            try await FakeEngine.with(
                in: folder,
                reply: { line in
                    line.contains("/web1/") ? .container("web1", process: 0, isRunning: false) : .unknown("web2")
                }
            ) { engine in
                func attach(_ arguments: String..., host: String = "") async throws -> Ran {
                    try await Shell.run(
                        [try BuiltProducts.path("meshctl"), "task", "attach", "web", "--container"] + arguments,
                        environment: ["MESHCTL_STATE_DIR": state, "MESHCTL_NODE": "node1", "DOCKER_HOST": host])
                }
                let stopped = try await attach("web1", host: "unix://\(engine.path)")
                #expect(
                    stopped.status == 65 && stopped.error.contains("web1 is not running: start it first"), "\(stopped)")
                let unknown = try await attach("web2", "--docker-socket", engine.path.string, host: "tcp://10.0.0.1")
                #expect(unknown.status == 65 && unknown.error.contains("there is no container web2 at"), "\(unknown)")
                let remote = try await attach("web1", host: "tcp://10.0.0.1:2375")
                #expect(remote.status == 64 && remote.error.contains("only a socket of this host"), "\(remote)")
                let silent = try await attach("web1", "--docker-socket", "\(folder)/none.sock")
                #expect(silent.status == 69 && silent.error.contains("there is no socket"), "\(silent)")
                let elsewhere = try await attach("web1", "--node", "node2")
                #expect(elsewhere.status == 65 && elsewhere.error.contains("node node2 is another"), "\(elsewhere)")
                #expect(engine.requests.count == 2, "and nothing else is asked")
            }
        }
    }

    @Test func theExport() async throws {
        try await Self.withStore { state in
            let ran = try await meshctl("export", state: state)
            #expect(ran.status == 0 && ran.output.contains("\ngeneration: 5\n") && ran.output.contains("\n  web:\n"))
            #expect(ran.output.contains("          networks:\n            back: [10.0.1.5]\n"), "\(ran.output)")
        }
        let empty = try await meshctl("export")
        #expect(empty.output.hasSuffix("\ngeneration: 0\n"))
        let json = try await meshctl("export", "--format", "json")
        #expect(json.output == "{\n  \"generation\" : 0\n}\n", "\(json)")
    }

    /// Faults of the file come before anything that needs a kernel or root.
    @Test func filesThatCannotBeApplied() async throws {
        try await TemporaryDirectory.with { directory in
            let file = directory.appending("mesh.yaml")
            for (text, words) in [
                ("service: {}", "mesh.yaml:1:1: the file has no \"service\""), ("", "mesh.yaml: the file is empty"),
                ("services:\n  web: {ports: [0:80]}", "mesh.yaml:2:17: \"0\" is not a port"),
            ] {
                try file.write(text)
                let ran = try await meshctl("apply", "-f", file.string, "--dry-run")
                #expect(ran.status == 65 && ran.error.contains(words), "\(ran)")
            }
            let missing = try await meshctl("apply", "-f", directory.appending("none.yaml").string)
            #expect(
                missing.status == 65 && missing.error.contains("none.yaml cannot be read: No such file"), "\(missing)")
            let folder = try await meshctl("apply", "-f", directory.string)
            #expect(folder.status == 65 && folder.error.contains("cannot be read: Is a directory"), "\(folder)")
            let script = "printf 'nodes: 5' | \"$0\" apply -f -"
            let piped = try await Shell.run(["bash", "-c", script, try BuiltProducts.path("meshctl")])
            #expect(piped.status == 65 && piped.error.contains("standard input:1:8: expected a mapping"), "\(piped)")
            let bytes = try await Shell.run(
                ["bash", "-c", "printf '\\xff' | \"$0\" apply -f -", try BuiltProducts.path("meshctl")])
            #expect(bytes.status == 65 && bytes.error.contains("standard input is not UTF-8"), "\(bytes)")
        }
    }

    @Test func whatIsNotThere() async throws {
        let network = try await meshctl("network", "inspect", "back")
        #expect(network.status == 65 && network.error.contains("no network \"back\""), "\(network)")
        #expect(try await meshctl("node", "ls").output == "NODE  ADDRESS  GATEWAY SUBNETS  TASKS\n")
        #expect(try await meshctl("network", "ls").output == "NETWORK  DRIVER  SCOPE  VNI  SUBNETS  TASKS\n")
    }

    @Test(
        arguments: [
            (["network", "create", "back", "--subnet", "10.0.1.1/24"], "in the subnet 10.0.1.0/24: write that"),
            (["network", "create", "back", "--subnet", "10.0.1.0"], "with the length of its prefix"),
            (["network", "create", "back", "--vni", "-1"], "vni"),
            (["node", "add", "a", "--address", "nowhere"], "write an IPv4 or IPv6 address"),
            (["node", "add", "a", "--gateway-subnet", "10.0.1.0/33"], "with the length of its prefix"),
            (["task", "attach", "web"], "by --netns, --pid or --container"),
            (["task", "attach", "web", "--netns", "a", "--pid", "1"], "each name the namespace"),
            (["task", "detach", "web", "--netns", "a", "--container", "b"], "each name the namespace"),
            (["task", "attach", "web", "--container", "a/../b"], "is no name of a container"),
            (["task", "attach", "web", "--container", "a", "--docker-socket", "x.sock"], "from the root on"),
            (["task", "attach", "web", "--netns", "a", "--docker-socket", "/x.sock"], "leave it out"),
            (["task", "attach", "web", "--pid", "0"], "no number of a process"),
            (["task", "attach", "web", "--netns", "a/b"], "from the root on"),
            (["task", "attach", "web", "--netns", ""], "names no namespace"),
            (["task", "attach", "web", "--netns", "a", "--node", ""], "--node is empty"),
            (["network", "connect", "back"], "Missing expected argument"),
            (["task", "drain", "web"], "say which task"),
            (["task", "undrain", "web", "10.255.0.4", "--netns", "a"], "both name the task"),
            (["task", "drain", "web", "10.0.0.999"], "write an IPv4 or IPv6 address"),
            (["publish", "80:80", "web", "--drain", "soon"], "or off, or unlimited"),
            (["publish", "80:80", "web", "--max-conns", "0"], "a number from 1 to 2147483647, or off"),
            (["service", "set", "web", "--max-conns", "-1"], "max-conns"),
            (["publish", "80:80", "web", "--health", "ping"], "write tcp, udp or http:/PATH"),
            (["service", "set", "web", "--health", "tcp,interval=1s"], "choose a longer interval"),
            (["publish", "80:80", "web", "--slow-start", "soon"], "write a time from 1s to 23d"),
            (["service", "set", "web", "80", "--slow-start", "9s"], "hold for the whole service"),
            (["agent", "--no-containers", "--docker-socket", "/x"], "exclude each other"),
            (["agent", "--docker-socket", "x"], "from the root on"),
            (["task", "detach", "web"], "say which task"),
            (["task", "detach", "web", "10.255.0.4", "--netns", "a"], "both name the task"),
            (["task", "detach", "web", "10.255.0.4", "--node", "a"], "leave --node out"),
            (["status", "--node", ""], "--node is empty"), (["apply"], "Missing expected argument"),
        ])
    func usage(arguments: [String], reason: String) async throws {
        let ran = try await Shell.run([try BuiltProducts.path("meshctl")] + arguments)
        #expect(ran.status == 64 && ran.error.contains(reason) && ran.output.isEmpty, "\(ran)")
    }
}
