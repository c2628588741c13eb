/// What a node of a Docker Swarm (Docker 20.10, iptables of the legacy variant) has in its namespaces for two services:
///
///     docker network create --opt encrypted --subnet 100.0.0.0/24 -d overlay net1
///     docker service create --name redis --network net1 IMAGE
///     docker service create --name nginx --network net1 --replicas 2 -p 1080:80 -p 1443:443 -p 5353:53/udp IMAGE
///
/// Left out is what is there without a Swarm, too: the bridge docker0, DOCKER-USER, the isolation of bridges from each
/// other, and the names that a container looks up at 127.0.0.11.
enum SwarmNode {
    /// The rules as `iptables-save` prints them, each behind the name of its table, and the balancers as
    /// `ipvsadm -Ln` does.
    static let texts = [
        "node": node,
        "sandbox": sandbox,
        "balancer of net1": balancerOfNet1,
        "task of nginx": taskOfNginx,
        "task of redis": "",
    ]

    private static let node = """
        mangle -A OUTPUT -p udp -m udp --dport 4789 -m u32 --u32 VNI -j MARK --set-xmark 0xd0c4e3/0xffffffff
        nat -A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER-INGRESS
        nat -A OUTPUT -m addrtype --dst-type LOCAL -j DOCKER-INGRESS
        nat -A POSTROUTING -o docker_gwbridge -m addrtype --src-type LOCAL -j MASQUERADE
        nat -A POSTROUTING -s 172.18.0.0/16 ! -o docker_gwbridge -j MASQUERADE
        nat -A DOCKER-INGRESS -p udp -m udp --dport 5353 -j DNAT --to-destination 172.18.0.2:5353
        nat -A DOCKER-INGRESS -p tcp -m tcp --dport 1443 -j DNAT --to-destination 172.18.0.2:1443
        nat -A DOCKER-INGRESS -p tcp -m tcp --dport 1080 -j DNAT --to-destination 172.18.0.2:1080
        nat -A DOCKER-INGRESS -j RETURN
        filter -P FORWARD DROP
        filter -A INPUT -p udp -m policy --dir in --pol none -m udp --dport 4789 -m u32 --u32 VNI -j DROP
        filter -A INPUT -p udp -m policy --dir in --pol ipsec -m udp --dport 4789 -m u32 --u32 VNI -j ACCEPT
        filter -A FORWARD -j DOCKER-INGRESS
        filter -A FORWARD -o docker_gwbridge -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
        filter -A FORWARD -i docker_gwbridge ! -o docker_gwbridge -j ACCEPT
        filter -A FORWARD -i docker_gwbridge -o docker_gwbridge -j DROP
        filter -A DOCKER-INGRESS -p udp -m udp --dport 5353 -j ACCEPT
        filter -A DOCKER-INGRESS -p udp -m state --state RELATED,ESTABLISHED -m udp --sport 5353 -j ACCEPT
        filter -A DOCKER-INGRESS -p tcp -m tcp --dport 1443 -j ACCEPT
        filter -A DOCKER-INGRESS -p tcp -m state --state RELATED,ESTABLISHED -m tcp --sport 1443 -j ACCEPT
        filter -A DOCKER-INGRESS -p tcp -m tcp --dport 1080 -j ACCEPT
        filter -A DOCKER-INGRESS -p tcp -m state --state RELATED,ESTABLISHED -m tcp --sport 1080 -j ACCEPT
        filter -A DOCKER-INGRESS -j RETURN
        """

    private static let sandbox = """
        mangle -A PREROUTING -p tcp -m tcp --dport 1080 -j MARK --set-xmark 0x101/0xffffffff
        mangle -A PREROUTING -p tcp -m tcp --dport 1443 -j MARK --set-xmark 0x101/0xffffffff
        mangle -A PREROUTING -p udp -m udp --dport 5353 -j MARK --set-xmark 0x101/0xffffffff
        mangle -A INPUT -d 10.0.0.3/32 -j MARK --set-xmark 0x101/0xffffffff
        nat -A POSTROUTING -d 10.0.0.0/24 -m ipvs --ipvs -j SNAT --to-source 10.0.0.2
        ipvs FWM 257 rr
        ipvs FWM 257 -> 10.0.0.4:0 Masq 1
        ipvs FWM 257 -> 10.0.0.5:0 Masq 1
        """

    private static let balancerOfNet1 = """
        mangle -A INPUT -d 100.0.0.2/32 -j MARK --set-xmark 0x100/0xffffffff
        mangle -A INPUT -d 100.0.0.5/32 -j MARK --set-xmark 0x102/0xffffffff
        nat -A POSTROUTING -d 100.0.0.0/24 -m ipvs --ipvs -j SNAT --to-source 100.0.0.4
        ipvs FWM 256 rr
        ipvs FWM 256 -> 100.0.0.3:0 Masq 1
        ipvs FWM 258 rr
        ipvs FWM 258 -> 100.0.0.6:0 Masq 1
        ipvs FWM 258 -> 100.0.0.7:0 Masq 1
        """

    private static let taskOfNginx = """
        nat -A PREROUTING -d 10.0.0.4/32 -p tcp -m tcp --dport 1080 -j REDIRECT --to-ports 80
        nat -A PREROUTING -d 10.0.0.4/32 -p tcp -m tcp --dport 1443 -j REDIRECT --to-ports 443
        nat -A PREROUTING -d 10.0.0.4/32 -p udp -m udp --dport 5353 -j REDIRECT --to-ports 53
        filter -A INPUT -d 10.0.0.4/32 -p udp -m udp --dport 53 -m conntrack --ctstate NEW,ESTABLISHED -j ACCEPT
        filter -A INPUT -d 10.0.0.4/32 -p tcp -m tcp --dport 443 -m conntrack --ctstate NEW,ESTABLISHED -j ACCEPT
        filter -A INPUT -d 10.0.0.4/32 -p tcp -m tcp --dport 80 -m conntrack --ctstate NEW,ESTABLISHED -j ACCEPT
        filter -A INPUT -d 10.0.0.4/32 -p sctp -j DROP
        filter -A INPUT -d 10.0.0.4/32 -p udp -j DROP
        filter -A INPUT -d 10.0.0.4/32 -p tcp -j DROP
        filter -A OUTPUT -s 10.0.0.4/32 -p udp -m udp --sport 53 -m conntrack --ctstate ESTABLISHED -j ACCEPT
        filter -A OUTPUT -s 10.0.0.4/32 -p tcp -m tcp --sport 443 -m conntrack --ctstate ESTABLISHED -j ACCEPT
        filter -A OUTPUT -s 10.0.0.4/32 -p tcp -m tcp --sport 80 -m conntrack --ctstate ESTABLISHED -j ACCEPT
        filter -A OUTPUT -s 10.0.0.4/32 -p sctp -j DROP
        filter -A OUTPUT -s 10.0.0.4/32 -p udp -j DROP
        filter -A OUTPUT -s 10.0.0.4/32 -p tcp -j DROP
        """

    /// What the names and numbers in the texts stand for.
    static let names = [
        ("docker_gwbridge", "GATEWAY"), ("172.18.0.0/16", "GATEWAYS"), ("DOCKER-INGRESS", "INGRESS"),
        ("172.18.0.2", "SANDBOX"), ("10.0.0.0/24", "INGRESS-NET"), ("10.0.0.2", "OWN"), ("10.0.0.3", "VIP-NGINX"),
        ("10.0.0.4", "NGINX-1"), ("10.0.0.5", "NGINX-2"), ("100.0.0.0/24", "NET1"), ("100.0.0.2", "VIP-REDIS"),
        ("100.0.0.3", "REDIS-1"), ("100.0.0.4", "OWN"), ("100.0.0.5", "VIP-NGINX"), ("100.0.0.6", "NGINX-1"),
        ("100.0.0.7", "NGINX-2"),
    ]

    /// The services of the marks, by place.
    static let marks = ["sandbox": [257: "nginx"], "balancer of net1": [256: "redis", 258: "nginx"]]
}
