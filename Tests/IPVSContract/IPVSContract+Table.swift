package import IPVSKit

extension IPVSContract {
    package static let tcp = VirtualService.ID.address("10.1.0.1", port: 443, protocol: .tcp)
    package static let udp6 = VirtualService.ID.address("fd00::1", port: 53, protocol: .udp)
    package static let sctp = VirtualService.ID.address("10.1.0.1", port: 9, protocol: .sctp)
    package static let mark4 = VirtualService.ID.firewallMark(0x102, .ipv4)
    package static let mark6 = VirtualService.ID.firewallMark(0x102, .ipv6)

    /// A table with every kind of object.
    package static let table = Table([
        .init(
            VirtualService(
                id: tcp, scheduler: .weightedLeastConnection,
                persistence: .init(timeoutSeconds: 600, netmask: .mask(0xFFFF_FF00))),
            destinations: [
                Destination("10.2.0.1", port: 8443, weight: 70_000, upperThreshold: 100, lowerThreshold: 50),
                Destination("10.2.0.2", port: 443, weight: 0, forwarding: .directRoute),
            ]),
        .init(
            VirtualService(id: udp6, scheduler: .maglevHashing, flags: [.onePacket, .hashFallback, .hashPort]),
            destinations: [Destination("fd02::1", port: 53)]),
        .init(VirtualService(id: sctp, scheduler: .roundRobin)),
        .init(
            VirtualService(id: mark4, scheduler: .sourceHashing, flags: .hashFallback),
            destinations: [
                Destination("10.2.0.1", port: 0),
                Destination("10.2.0.3", port: 0, forwarding: .tunnel, tunnel: .init(type: .gue, port: 6080)),
            ]),
        .init(
            VirtualService(
                id: mark6, scheduler: .roundRobin, persistence: .init(timeoutSeconds: 300, netmask: .prefix(64))),
            destinations: [Destination("fd02::2", port: 80, weight: 2)]),
    ])

    /// The lines of ``table`` as `ipvsadm -Sn` writes them, in any order.
    package static let savedTable: Set<String> = [
        "-A -t 10.1.0.1:443 -s wlc -p 600 -M 255.255.255.0",
        "-a -t 10.1.0.1:443 -r 10.2.0.1:8443 -m -w 70000",
        "-a -t 10.1.0.1:443 -r 10.2.0.2:443 -g -w 0",
        "-A -u [fd00::1]:53 -s mh -o -b mh-fallback,mh-port",
        "-a -u [fd00::1]:53 -r [fd02::1]:53 -m -w 1",
        "-A --sctp-service 10.1.0.1:9 -s rr",
        "-A -f 258 -s sh -b sh-fallback",
        "-a -f 258 -r 10.2.0.1:0 -m -w 1",
        "-a -f 258 -r 10.2.0.3:0 -i -w 1 --tun-type gue --tun-port 6080 --tun-nocsum",
        "-A -f 258 -6 -s rr -p 300 -M 64",
        "-a -f 258 -6 -r [fd02::2]:80 -m -w 2",
    ]
}
