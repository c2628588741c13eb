extension SwarmContentTests {
    /// Lines that are in one of the two alone, and why.
    struct Difference {
        var place: String
        var swarm: [String] = []
        var ours: [String] = []
        var reason: String
    }

    /// - Parameter keepsAddress: whether tasks see the client's address.
    static func differences(keepsAddress: Bool) -> [Difference] {
        ["node", "sandbox", "balancer of net1"].flatMap(ofBalancers) + ofTheNode + ofTheSandbox(keepsAddress)
            + ofNet1 + ofTasks
    }

    /// What each namespace with IPVS has here.
    private static func ofBalancers(_ place: String) -> [Difference] {
        let local = "-m conntrack --ctdir ORIGINAL -m addrtype --dst-type LOCAL"
        return [
            Difference(
                place: place,
                ours: ["mangle -A PREROUTING \(local) -j PREROUTING", "mangle -A OUTPUT \(local) -j PREROUTING"],
                reason: "A reply may come from or to a port of the same number, and is not to be balanced."),
            Difference(
                place: place, ours: ["mangle -A PREROUTING -d 127.0.0.0/8 -j RETURN"],
                reason: "IPVS drops packets from loopback addresses, so that such connections take another way."),
            Difference(
                place: place,
                ours: [
                    "mangle -A PREROUTING -p tcp ! --tcp-flags FIN,SYN,RST,ACK SYN -m conntrack --ctstate ESTABLISHED -j RETURN"
                ], reason: "IPVS looks at the mark of a connection's first packet alone."),
            Difference(
                place: place, ours: ["mangle -A MESH-ALLOW -i lo -j RETURN", "mangle -A MESH-ALLOW -j DROP"],
                reason: "A port may have a list of clients, though none has one here."),
            Difference(
                place: place, ours: ["nat -A PREROUTING -j MESH-TARGET", "nat -A OUTPUT -j MESH-TARGET"],
                reason: "Sticky ports are translated before IPVS, though none is here."),
            Difference(
                place: place, ours: ["filter -A INPUT -m conntrack --ctstate INVALID -j INPUT"],
                reason: "Segments outside of a connection's window would be answered by a reset."),
        ]
    }

    private static let ofTheNode = [
        Difference(
            place: "node",
            swarm: [
                "mangle -A OUTPUT -p udp --dport 4789 -m u32 --u32 VNI -j MARK --set-xmark 0xd0c4e3/0xffffffff",
                "filter -A INPUT -p udp -m policy --dir in --pol none --dport 4789 -m u32 --u32 VNI -j DROP",
                "filter -A INPUT -p udp -m policy --dir in --pol ipsec --dport 4789 -m u32 --u32 VNI -j ACCEPT",
            ], reason: "Networks are not encrypted yet."),
        Difference(
            place: "node",
            swarm: ["filter -A FORWARD -j INGRESS", "filter -A INGRESS -j RETURN"]
                + [("tcp", 1080), ("tcp", 1443), ("udp", 5353)].flatMap { transport, port in
                    [
                        "filter -A INGRESS -p \(transport) --dport \(port) -j ACCEPT",
                        "filter -A INGRESS -p \(transport) -m conntrack --ctstate RELATED,ESTABLISHED --sport \(port) -j ACCEPT",
                    ]
                },
            ours: [
                "filter -A FORWARD -o mesh_sbox -m conntrack --ctstate DNAT -j ACCEPT",
                "filter -A FORWARD -i mesh_sbox -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
            ], reason: "Two rules by the sandbox's interface do for any number of ports."),
        Difference(
            place: "node", swarm: ["filter -P FORWARD DROP"],
            reason: "What else the node forwards is not for the mesh to decide."),
        Difference(
            place: "node", swarm: ["filter -A FORWARD -i GATEWAY -o GATEWAY -j DROP"],
            reason: "The ports of tasks on the bridge are isolated, which holds without br_netfilter, too."),
        Difference(
            place: "node", swarm: ["nat -A INGRESS -j RETURN"], reason: "A chain returns at its end in any case."),
        Difference(
            place: "node", swarm: ["nat -A POSTROUTING -o GATEWAY -m addrtype --src-type LOCAL -j MASQUERADE"],
            ours: [
                "nat -A POSTROUTING -s 127.0.0.0/8 -o mesh_sbox -j MASQUERADE",
                "nat -A POSTROUTING -s GATEWAYS -o mesh_sbox -j MASQUERADE",
            ],
            reason: """
                The sandbox has a link of its own instead of a port of the bridge. It could not answer 127.0.0.1, nor a \
                task that calls its own node; other addresses of the node stay.
                """),
    ]

    private static func ofTheSandbox(_ keepsAddress: Bool) -> [Difference] {
        [
            Difference(
                place: "sandbox", swarm: ["mangle -A INPUT -d VIP-NGINX -j MARK nginx"],
                reason: "Services have addresses on user networks alone: tasks call nobody by the network ingress."),
            Difference(
                place: "sandbox", swarm: (1...2).map { "ipvs FWM nginx -> NGINX-\($0):0 Masq 1" },
                ours: (1...2).flatMap { task in
                    [53, 80, 443].map { "ipvs FWM nginx -> NGINX-\(task):\($0) Masq 1" }
                },
                reason: """
                    Each port has a mark, and so a scheduler's state, counters and a target of its own: IPVS writes the \
                    port, and tasks need no rule for it.
                    """),
            Difference(
                place: "sandbox",
                swarm: ["nat -A POSTROUTING -d INGRESS-NET -m ipvs --ipvs -j SNAT --to-source OWN"],
                ours: keepsAddress
                    ? [] : (1...2).map { "nat -A POSTROUTING -m mark --mark nginx -d NGINX-\($0) -j MASQUERADE" },
                reason: keepsAddress
                    ? "Tasks see the client's address."
                    : "Services that hide the client's address and others that keep it are in one sandbox."),
            Difference(
                place: "sandbox",
                ours: (1...2).flatMap { known("NGINX-\($0)") }
                    + (1...2).flatMap { task in
                        [80, 443].map { "filter -A INPUT -s NGINX-\(task) -p tcp --sport \($0) -j DROP" }
                    }, reason: "A balancer has these rules in whichever namespace it is: replies of tasks."),
            Difference(
                place: "sandbox",
                ours: [
                    "mangle -A PREROUTING -p tcp --tcp-flags SYN SYN -j MESH-MSS",
                    "mangle -A MESH-MSS -p tcp --tcp-flags SYN SYN -j TCPMSS --set-mss 1410",
                ],
                reason: "A client may never hear that its packets are too long for the overlay."),
        ]
    }

    private static let ofNet1 = [
        Difference(
            place: "balancer of net1",
            swarm: ["NGINX", "REDIS"].map { "mangle -A INPUT -d VIP-\($0) -j MARK \($0.lowercased())" },
            ours: ["NGINX", "REDIS"].map { "mangle -A PREROUTING -d VIP-\($0) -j MARK \($0.lowercased())" },
            reason: "Ports and addresses are marked by one chain, before routing; IPVS sees both in INPUT."),
        Difference(
            place: "balancer of net1",
            swarm: ["nat -A POSTROUTING -d NET1 -m ipvs --ipvs -j SNAT --to-source OWN"],
            ours: [("nginx", "NGINX-1"), ("nginx", "NGINX-2"), ("redis", "REDIS-1")].map { mark, task in
                "nat -A POSTROUTING -m mark --mark \(mark) -d \(task) -j MASQUERADE"
            }, reason: "The same by the set of paths that are masqueraded."),
        Difference(
            place: "balancer of net1",
            ours: ["NGINX-1", "NGINX-2", "REDIS-1"].flatMap(known),
            reason: "A balancer has these rules in whichever namespace it is: replies of tasks."),
    ]

    /// The accepts of a balancer for known connections of a task.
    private static func known(_ task: String) -> [String] {
        ["REPLY -s", "ORIGINAL -d"].map {
            "filter -A FORWARD -m conntrack --ctstate RELATED,ESTABLISHED --ctdir \($0) \(task) -j ACCEPT"
        }
    }

    private static let ofTasks = [
        Difference(
            place: "task of nginx",
            swarm: [("tcp", 1080, 80), ("tcp", 1443, 443), ("udp", 5353, 53)].map { transport, port, target in
                "nat -A PREROUTING -d NGINX-1 -p \(transport) --dport \(port) -j REDIRECT --to-ports \(target)"
            }, reason: "IPVS has translated the port."),
        Difference(
            place: "task of nginx",
            swarm: [("tcp", 80), ("tcp", 443), ("udp", 53)].flatMap { transport, port in
                [
                    "filter -A INPUT -d NGINX-1 -p \(transport) --dport \(port) -m conntrack --ctstate NEW,ESTABLISHED -j ACCEPT",
                    "filter -A OUTPUT -s NGINX-1 -p \(transport) --sport \(port) -m conntrack --ctstate ESTABLISHED -j ACCEPT",
                ]
            }
                + ["tcp", "udp", "sctp"].flatMap {
                    ["filter -A INPUT -d NGINX-1 -p \($0) -j DROP", "filter -A OUTPUT -s NGINX-1 -p \($0) -j DROP"]
                }, ours: unsent,
            reason: """
                New connections from others than a sandbox are dropped for all ports alike, so that no port costs the \
                task a rule. A sandbox sends to published ports alone.
                """),
        Difference(
            place: "task of redis", ours: unsent,
            reason: "Every attached task is on ingress, where others reach none of its ports."),
        wayBack(
            "task of nginx", "The client's address does not say which node it asked, nor that the mesh is the way."),
        wayBack("task of redis", "Every attached task is on ingress, so that it can be published at any time."),
    ]

    /// What drops new connections on ingress that no sandbox sent.
    private static let unsent =
        ["mangle -A MESH-SENDER -i mesh4096 -m mac --mac-source 02:42:0a:00:00:02 -j RETURN"]
        + ["tcp", "udp", "sctp"].map { "mangle -A MESH-SENDER -i mesh4096 -p \($0) -j DROP" }

    private static func wayBack(_ place: String, _ reason: String) -> Difference {
        Difference(
            place: place,
            ours: [
                "mangle -A PREROUTING -m conntrack --ctstate NEW -j MESH-SENDER",
                "mangle -A MESH-SENDER -i mesh4096 -m mac --mac-source 02:42:0a:00:00:02 -j CONNMARK --set-xmark 0x6d01/0xffffffff",
                "mangle -A OUTPUT -j MESH-RETURN",
                "mangle -A MESH-RETURN -m conntrack --ctdir REPLY -m connmark --mark 0x6d01 -j CONNMARK --restore-mark --nfmask 0xffffffff --ctmask 0xffffffff",
                "nat -A PREROUTING -j MESH-TASK", "nat -A MESH-TASK -s INGRESS-NET -i mesh4096 -j RETURN",
                "nat -A MESH-TASK -i mesh4096 -j DNAT --to-destination LEG", "nat -A INPUT -j MESH-SNAT",
                "nat -A POSTROUTING -j MESH-SNAT",
            ], reason: reason)
    }

    /// The rest, which is what the mesh is made of.
    static let same: [String: Set<String>] = [
        "node": [
            "nat -A PREROUTING -m addrtype --dst-type LOCAL -j INGRESS",
            "nat -A OUTPUT -m addrtype --dst-type LOCAL -j INGRESS",
            "nat -A INGRESS -p tcp --dport 1080 -j DNAT --to-destination SANDBOX",
            "nat -A INGRESS -p tcp --dport 1443 -j DNAT --to-destination SANDBOX",
            "nat -A INGRESS -p udp --dport 5353 -j DNAT --to-destination SANDBOX",
            "nat -A POSTROUTING -s GATEWAYS ! -o GATEWAY -j MASQUERADE",
            "filter -A FORWARD -i GATEWAY ! -o GATEWAY -j ACCEPT",
            "filter -A FORWARD -o GATEWAY -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
        ],
        "sandbox": [
            "mangle -A PREROUTING -p tcp --dport 1080 -j MARK nginx",
            "mangle -A PREROUTING -p tcp --dport 1443 -j MARK nginx",
            "mangle -A PREROUTING -p udp --dport 5353 -j MARK nginx", "ipvs FWM nginx rr",
        ],
        "balancer of net1": [
            "ipvs FWM redis rr", "ipvs FWM redis -> REDIS-1:0 Masq 1", "ipvs FWM nginx rr",
            "ipvs FWM nginx -> NGINX-1:0 Masq 1", "ipvs FWM nginx -> NGINX-2:0 Masq 1",
        ], "task of nginx": [], "task of redis": [],
    ]
}
