import IPVSKit
import MeshKit
import Netlink
import RuleKit
import SystemPackage
import TestSupport
import Testing

#if canImport(Glibc)
    import Glibc
#endif

extension KernelTests.MeshTests {
    /// Each damage to a place is named by `plan` and repaired by `reconcile`. Meanwhile no request is lost to a port that
    /// was not damaged: one of the balancer on the host.
    @Test(arguments: RuleTool.tested) func damageIsNamedAndRepaired(tool: RuleTool) async throws {
        try await MeshNodes.with(rules: tool) { mesh in
            let tasks = try await mesh.tasks(on: [1, 2])
            defer { tasks.stop() }
            var spec = try mesh.spec()
            try await mesh.publish(tasks, in: &spec)
            let near = try await mesh.nearTask(in: &spec)
            defer { near.stop() }
            try await mesh.apply(spec)
            let node = mesh.nodes[0]
            let traffic = Locked(Traffic())
            let client = mesh.client
            async let ended: Void = client.thread {
                while !traffic.withLock(\.isOver) {
                    let damage = traffic.withLock(\.damage)
                    let answer = Request.steady(node.addresses[0], port: 1081).answer()
                    // A damage that came in between may be the cause, if it damages this port, too.
                    traffic.withLock { traffic in
                        traffic.count += 1
                        if !answer.hasPrefix("near ") { traffic.lost.append((damage...traffic.damage, answer)) }
                    }
                    usleep(50_000)
                }
            }
            defer { traffic.withLock { $0.isOver = true } }
            let damages = Self.damages + (tool == .nftables ? Self.ofNFTables : Self.ofIPTables)
            for (index, (script, name)) in damages.enumerated() {
                traffic.withLock { $0.damage = index }
                try await mesh.damage(script, task: tasks[0])
                let plan = try await mesh.run(["plan"], on: node)
                #expect(plan.status == 2 && plan.output.contains(name), "\(script): \(plan)")
                let repaired = try await mesh.run(["reconcile"], on: node)
                #expect(repaired.status == 0, "\(script): \(repaired)")
                let after = try await mesh.run(["plan"], on: node)
                #expect(after.status == 0, "\(script): \(after)")
                for address in node.addresses {
                    let answers = try await mesh.client.ask(.tcp, address, 1080, times: 2)
                    #expect(
                        answers.values.reduce(0, +) == 2 && answers.keys.allSatisfy { $0.hasPrefix("web") },
                        "\(script): \(answers)")
                }
            }
            traffic.withLock { $0.isOver = true }
            try await ended
            let (count, lost) = traffic.withLock { ($0.count, $0.lost) }
            print("\(tool): \(damages.count) damages, \(count) requests meanwhile to a port without any")
            #expect(count > damages.count * 4)
            for (during, answer) in lost {
                let scripts = damages[during].map(\.0)
                #expect(scripts.contains { Self.damagesEveryPort($0) }, "\(answer) after \(scripts)")
            }
        }
    }

    /// The requests to a port that is not damaged.
    private struct Traffic {
        var damage = 0
        var count = 0
        /// The lost ones, with the damages that there were while each lasted.
        var lost: [(during: ClosedRange<Int>, answer: String)] = []
        var isOver = false
    }

    /// Whether a damage is one to the balancer on the host, too.
    static func damagesEveryPort(_ script: String) -> Bool {
        ["$NODE sysctl -qw net.ipv4.ip_forward=0", "$NODE nft delete table", "nat-postrouting"]
            .contains { script.contains($0) }
    }

    static let damages: [(String, String)] = [
        ("$NODE ip link set mesh_sbox down", "mesh_sbox is down"),
        ("$NODE ip addr del 169.254.113.5/30 dev mesh_sbox", "mesh_sbox lacks the address 169.254.113.5/30"),
        ("$NODE ip link del mesh_sbox", "make the veth pair mesh_sbox and eth1 in ingress_sbox"),
        ("$NODE ip -6 route del local ::1 dev mesh_sbox table local", "mesh_sbox lacks the route local ::1"),
        ("$NODE ip neigh del 169.254.113.6 dev mesh_sbox", "mesh_sbox does not know its neighbour 169.254.113.6"),
        ("$NODE sysctl -qw net.ipv4.conf.mesh_sbox.route_localnet=0", "net/ipv4/conf/mesh_sbox/route_localnet = 1"),
        ("$NODE sysctl -qw net.ipv4.ip_forward=0", "net/ipv4/ip_forward = 1"),
        ("$NODE sysctl -qw net.ipv6.conf.all.forwarding=0", "net/ipv6/conf/all/forwarding = 1"),
        ("$NODE ip link del mesh_gwbridge", "make the bridge mesh_gwbridge"),
        ("$NODE ip addr add 10.99.0.1/24 dev mesh_gwbridge", "which is not the mesh's"),
        ("$NODE ip link set mg-ac120002 nomaster", "mg-ac120002 is no port of mesh_gwbridge"),
        ("$NODE bridge link set dev mg-ac120002 isolated off", "mg-ac120002 is not isolated"),
        ("$NODE ip link set mesh_sbox alias nobody", "mesh_sbox has the alias nobody"),
        ("$SANDBOX ip link set eth0 down", "eth0 in ingress_sbox is down"),
        ("$SANDBOX ip addr flush dev eth0", "eth0 in ingress_sbox lacks the address 10.255.0.2/16"),
        ("$SANDBOX ip -6 addr del fe80::42:aff:feff:2/64 dev eth0", "eth0 in ingress_sbox lacks its IPv6 link-local"),
        ("$SANDBOX ip route del default", "eth1 in ingress_sbox lacks the route 0.0.0.0/0 via 169.254.113.5"),
        ("$SANDBOX ip -6 route del default", "eth1 in ingress_sbox lacks the route ::/0"),
        ("$SANDBOX sysctl -qw net.ipv4.vs.conntrack=0", "net/ipv4/vs/conntrack = 1"),
        ("$SANDBOX sysctl -qw net.ipv4.ip_forward=0", "net/ipv4/ip_forward = 1"),
        ("$SANDBOX ipvsadm -C", "create service FWM 256"),
        ("$SANDBOX ipvsadm -d -f 256 -r 10.255.0.5:80", "add destination 10.255.0.5:80 to FWM 256"),
        ("$SANDBOX ipvsadm -a -f 256 -r 10.9.9.9:80 -m", "remove destination 10.9.9.9:80 from FWM 256"),
        ("$SANDBOX ipvsadm --set 900 0 0", "timeout of idle TCP connections = 7500 s"),
        ("$SANDBOX ip link set eth0 mtu 1400", "eth0 in ingress_sbox has the MTU 1400"),
        ("$OVERLAY ip link set vxlan0 down", "vxlan0 in mesh_ingress is down"),
        ("$OVERLAY ip link del vxlan0", "make the vxlan vxlan0 in mesh_ingress"),
        ("$OVERLAY ip link set br0 down", "br0 in mesh_ingress is down"),
        ("$OVERLAY ip link set vxlan0 nomaster", "vxlan0 in mesh_ingress is no port of br0"),
        ("$OVERLAY bridge fdb del 02:42:0a:ff:00:05 dev vxlan0", "does not know the node of 02:42:0a:ff:00:05"),
        (
            "$OVERLAY bridge fdb add 02:42:0a:ff:00:99 dev vxlan0 dst 192.168.5.2",
            "has an entry for 02:42:0a:ff:00:99, which is not the mesh's"
        ),
        ("$OVERLAY ip neigh del 10.255.0.5 dev vxlan0", "does not know its neighbour 10.255.0.5"),
        (
            "$OVERLAY ip neigh add 10.255.0.99 lladdr 02:42:0a:ff:00:99 dev vxlan0 nud permanent",
            "has the neighbour 10.255.0.99, which is not the mesh's"
        ),
        ("$OVERLAY ip link set mt-0aff0004 nomaster", "mt-0aff0004 in mesh_ingress is no port of br0"),
        ("$OVERLAY ip link set br0 mtu 1300", "has the MTU 1300"),
        ("$TASK ip link set mesh4096 down", "mesh4096 in task:"),
        ("$TASK ip rule del fwmark 0x6d01", "add the routing rule IPv4 fwmark 0x6d01"),
        ("$TASK ip route flush table 27905", "lacks the route 0.0.0.0/0 via 10.255.0.2 table 27905"),
        ("$TASK ip route del default", "lacks the route 0.0.0.0/0 via 172.18.0.1"),
        ("$TASK ip addr del 10.255.0.4/16 dev mesh4096", "lacks the address 10.255.0.4/16"),
        // An agent may have put the address and the route back before the script does.
        (
            """
            $TASK ip -4 addr flush dev mesh4096
            $TASK ip addr add 10.255.0.77/16 dev mesh4096
            $TASK ip addr add 10.255.0.78/16 dev mesh4096
            $TASK ip addr add 10.255.0.4/16 dev mesh4096 2>/dev/null || :
            $TASK ip route add default via 10.255.0.2 table 27905 proto 109 2>/dev/null || :
            """, "has the address 10.255.0.77/16, which is not the mesh's"
        ),
        (
            "$NODE ip route add 10.98.0.0/16 via 172.18.0.2 proto 109",
            "mesh_gwbridge has the route 10.98.0.0/16 via 172.18.0.2, which is not needed"
        ),
        ("$TASK sysctl -qw net.ipv4.conf.mesh4096.rp_filter=1", "net/ipv4/conf/mesh4096/rp_filter = 2"),
        ("$TASK ip link del meshgw", "make the veth pair mg-ac120002 and meshgw in task:"),
        ("$TASK ip link del mesh4096", "make the veth pair mt-0aff0004 in mesh_ingress and mesh4096 in task:"),
        ("ip netns del ingress_sbox-node1", "make the namespace ingress_sbox-node1"),
        ("ip netns del mesh_ingress-node1", "make the namespace mesh_ingress-node1"),
    ]

    static let ofNFTables: [(String, String)] = [
        ("$NODE nft delete table inet meshctl", "install the mesh's rules"),
        ("$NODE nft delete element inet meshctl marks '{ tcp . 1080 }'", "marks tcp . 1080 : 0x100"),
        ("$NODE nft delete element inet meshctl elsewhere '{ 0x100 }'", "elsewhere 0x100"),
        ("$NODE nft flush chain inet meshctl nat-postrouting", "chain nat-postrouting"),
        ("$SANDBOX nft delete table inet meshctl", "install the mesh's rules, in ingress_sbox"),
        ("$SANDBOX nft flush chain inet meshctl marking", "chain marking"),
        ("$TASK nft delete table inet meshctl", "install the mesh's rules, in task:"),
        ("$TASK nft flush chain inet meshctl output", "chain output"),
    ]

    static let ofIPTables: [(String, String)] = [
        ("$NODE iptables -t nat -F MESH-INGRESS", "MESH-INGRESS"),
        ("$NODE iptables -t nat -D PREROUTING -m addrtype --dst-type LOCAL -j MESH-INGRESS", "MESH-INGRESS"),
        ("$NODE ipset del mesh-in-tcp 1080", "mesh-in-tcp 1080"),
        ("$NODE iptables -F MESH-FORWARD", "MESH-FORWARD"),
        ("$SANDBOX iptables -t mangle -F MESH-MARK", "MESH-MARK"),
        ("$SANDBOX ipset del mesh-mark-tcp 1080", "mesh-mark-tcp 1080"),
        ("$TASK iptables -t mangle -F MESH-RETURN", "MESH-RETURN"),
        ("$TASK ip6tables -t nat -F MESH-TASK", "MESH-TASK"),
    ]
}

extension MeshNodes {
    /// Runs a script that damages the first node or a task of it.
    func damage(_ script: String, task: Task) async throws {
        let node = nodes[0]
        let ran = try await Shell.run(
            ["sh", "-ec", script],
            environment: [
                "NODE": "ip netns exec \(node.namespace.name)", "NODENAME": node.namespace.name,
                "SANDBOX": "ip netns exec ingress_sbox-\(node.name)",
                "OVERLAY": "ip netns exec mesh_ingress-\(node.name)",
                "TASK": "ip netns exec \(task.namespace.name)",
            ])
        guard ran.status == 0 else { throw Shell.Failed(ran: ran) }
    }
}
