import IPVSKit
import TestSupport
import Testing

/// Tables as the lines of ipvsadm. `KernelTests` checks that ipvsadm itself reads the same.
@Suite struct TableTextTests {
    private static let web = VirtualService.ID.address("192.168.5.1", port: 80, protocol: .tcp)

    @Test func aTableIsWrittenAsIpvsadmSavesIt() throws {
        let table = Table([
            .init(
                VirtualService(
                    id: .firewallMark(258, .ipv6), scheduler: .roundRobin, persistence: .init(netmask: .prefix(64)))),
            .init(
                VirtualService(
                    id: Self.web, scheduler: .maglevHashing, flags: [.hashFallback, .hashPort],
                    persistence: .init(timeoutSeconds: 60, netmask: .prefix(24)), persistenceEngine: "sip"),
                destinations: [
                    Destination("10.0.0.2", port: 80, forwarding: .tunnel, tunnel: .init(type: .gue, port: 6080)),
                    Destination("10.0.0.1", port: 8080, weight: 2, upperThreshold: 100, lowerThreshold: 50),
                    Destination("10.0.0.3", port: 80, weight: 0, forwarding: .directRoute),
                ]),
        ])
        #expect(
            table.ipvsadm == """
                -A -t 192.168.5.1:80 -s mh -p 60 -M 255.255.255.0 --pe sip -b mh-fallback,mh-port
                -a -t 192.168.5.1:80 -r 10.0.0.1:8080 -m -w 2 -x 100 -y 50
                -a -t 192.168.5.1:80 -r 10.0.0.2:80 -i -w 1 --tun-type gue --tun-port 6080 --tun-nocsum
                -a -t 192.168.5.1:80 -r 10.0.0.3:80 -g -w 0
                -A -f 258 -6 -s rr -p 300 -M 64
                """)
        #expect(try Table(ipvsadm: table.ipvsadm) == table)
        #expect(Table().ipvsadm.isEmpty && Table().description.isEmpty)
        #expect(
            table.description == """
                TCP 192.168.5.1:80 mh (mh-fallback,mh-port) persistent 60 mask 255.255.255.0 pe sip
                  -> 10.0.0.1:8080 Masq 2 upper 100 lower 50
                  -> 10.0.0.2:80 Tunnel 1 gue port 6080
                  -> 10.0.0.3:80 Route 0
                FWM 258 IPv6 rr persistent 300 mask 64
                """)
        #expect(try Table(ipvsadm: "") == Table())
    }

    /// All forms that ipvsadm takes are read.
    @Test(arguments: [
        "--add-service --tcp-service 192.168.5.1:80 --scheduler wrr\n"
            + "--add-server --tcp-service 192.168.5.1:80 --real-server 10.0.0.1:80 --masquerading --weight 3",
        "-A --tcp-service=192.168.5.1:80 --scheduler=wrr\n-a -t 192.168.5.1:80 -r 10.0.0.1 -mw3",
        "-At192.168.5.1:80 -swrr\n-a -t=192.168.5.1:80 -r10.0.0.1 -m -w 3",
        "ipvsadm -A -t 192.168.5.1:80 -s wrr \r\n\r\n \t ipvsadm -a -t 192.168.5.1:80 -r 10.0.0.1:80 -m -w 3 \r\n",
        "-a -t 192.168.5.1:80 -r 10.0.0.1:80 -w 3 -m\n-A -s wrr -t 192.168.5.1:80",
        "-t 192.168.5.1:80 -s wrr -A\n-r 10.0.0.1 -m -w 3 -t 192.168.5.1:80 -a",
    ]) func whatAPersonWritesIsRead(text: String) throws {
        #expect(
            try Table(ipvsadm: text)
                == Table([
                    .init(
                        VirtualService(id: Self.web, scheduler: .weightedRoundRobin),
                        destinations: [Destination("10.0.0.1", port: 80, weight: 3)])
                ]))
    }

    @Test func whatIsNotSaidIsIpvsadmsDefault() throws {
        #expect(
            try Table(ipvsadm: "-A -f 1 -p\n-a -f 1 -r 10.0.0.1")
                == Table([
                    .init(
                        VirtualService(
                            id: .firewallMark(1, .ipv4), scheduler: .weightedLeastConnection,
                            persistence: .init(timeoutSeconds: 360)),
                        destinations: [Destination("10.0.0.1", port: 0, weight: 1, forwarding: .directRoute)])
                ]))
        #expect(
            try VirtualService(ipvsadm: "-A -t fd00::1 -p 5 -M 48").id == .address("fd00::1", port: 0, protocol: .tcp))
    }

    /// ipvsadm prints a mark as a signed number, and does not read a negative number back.
    @Test func aMarkThatIpvsadmPrintsNegativeIsRead() throws {
        #expect(try VirtualService(ipvsadm: "-A -f -1 -s rr").id == .firewallMark(0xFFFF_FFFF, .ipv4))
        #expect(
            try VirtualService(ipvsadm: "-A -f -2147483648 -6 -s rr").ipvsadm == "-A -f 2147483648 -6 -s rr")
    }

    @Test(arguments: [
        ("", "line 1: the text is empty"),
        ("-A", "line 1: the line names no service; use -t, -u, --sctp-service or -f: -A"),
        (
            "-A -t 10.0.0.1:http",
            "line 1: -t takes an address and a port in numbers, as `ipvsadm -Sn` prints them, "
                + "not \"10.0.0.1:http\": -A -t 10.0.0.1:http"
        ),
        (
            "-A -t [fd00::1]",
            "line 1: -t takes an address and a port in numbers, as `ipvsadm -Sn` prints them, "
                + "not \"[fd00::1]\": -A -t [fd00::1]"
        ),
        ("-A -f 0", "line 1: -f takes a mark from 1 to 4294967295, not \"0\": -A -f 0"),
        ("-A -f 4294967296", "line 1: -f takes a mark from 1 to 4294967295, not \"4294967296\": -A -f 4294967296"),
        ("-A -f 1 -f 2", "line 1: -f appears twice: -A -f 1 -f 2"),
        ("-A -f 1 -t 10.0.0.1:80", "line 1: -f and -t exclude each other: -A -f 1 -t 10.0.0.1:80"),
        ("-A -t 10.0.0.1:80 -6", "line 1: -6 is for firewall marks only: -A -t 10.0.0.1:80 -6"),
        ("-A -f 1 -s", "line 1: -s takes an argument: -A -f 1 -s"),
        ("-A -f 1 -p x", "line 1: -p takes a number from 0 to 4294967295, not \"x\": -A -f 1 -p x"),
        ("-A -f 1 -M 255.0.0.0", "line 1: -M has no effect without -p: -A -f 1 -M 255.0.0.0"),
        ("-A -f 1 -p -M 24", "line 1: -M takes a mask such as 255.255.255.0, not \"24\": -A -f 1 -p -M 24"),
        ("-A -f 1 -6 -p -M 0", "line 1: -M takes a number from 1 to 128, not \"0\": -A -f 1 -6 -p -M 0"),
        ("-A -f 1 -s rr -b sh-port", "line 1: scheduler rr has no flag \"sh-port\": -A -f 1 -s rr -b sh-port"),
        ("-A -f 1 -s sh -b flag-0", "line 1: scheduler sh has no flag \"flag-0\": -A -f 1 -s sh -b flag-0"),
        ("-A -f 1 -s sh -b flag-30", "line 1: scheduler sh has no flag \"flag-30\": -A -f 1 -s sh -b flag-30"),
        ("-A -f 1 -w 3", "line 1: -w is not an option of a service: -A -f 1 -w 3"),
        ("-A -f 1 what", "line 1: no option takes \"what\": -A -f 1 what"),
        ("-A -f 1 --ops=1", "line 1: --ops takes no argument: -A -f 1 --ops=1"),
        ("-A -f 1 -q", "line 1: there is no option -q: -A -f 1 -q"),
        ("-C", "line 1: -C does not describe a table; use -A and -a: -C"),
        ("-f 1 -s rr", "line 1: the line has neither -A nor -a: -f 1 -s rr"),
        ("-A -f 1\n\n-A -f 1", "line 3: service FWM 1 appears twice: -A -f 1"),
        ("-a -f 1 -r 10.0.0.1:80", "line 1: no line adds service FWM 1: -a -f 1 -r 10.0.0.1:80"),
        ("-A -f 1\r\n-a -f 1", "line 2: the line names no destination; use -r: -a -f 1"),
        ("-A -f 1\n-a -f 1 -r 10.0.0.1:80 -m -g", "line 2: -m and -g exclude each other: -a -f 1 -r 10.0.0.1:80 -m -g"),
        (
            "-A -f 1\n-a -f 1 -r 10.0.0.1:80 -w -1",
            "line 2: -w takes a number from 0 to 4294967295, not \"-1\": -a -f 1 -r 10.0.0.1:80 -w -1"
        ),
        (
            "-A -f 1\n-a -f 1 -r 10.0.0.1:80 -m --tun-csum",
            "line 2: --tun-csum is for tunnels only; use -i: -a -f 1 -r 10.0.0.1:80 -m --tun-csum"
        ),
        (
            "-A -f 1\n-a -f 1 -r 10.0.0.1:80 -i --tun-type x",
            "line 2: --tun-type takes ipip, gue, gre or a number, not \"x\": -a -f 1 -r 10.0.0.1:80 -i --tun-type x"
        ),
        (
            "-A -f 1\n-a -f 1 -r 10.0.0.1:80 -i --tun-csum --tun-nocsum",
            "line 2: --tun-nocsum excludes the other checksum options: -a -f 1 -r 10.0.0.1:80 -i --tun-csum --tun-nocsum"
        ),
        (
            "-A -f 1\n-a -f 1 -r 10.0.0.1:80\n-a -f 1 -r 10.0.0.1:80",
            "line 3: destination 10.0.0.1:80 of FWM 1 appears twice: -a -f 1 -r 10.0.0.1:80"
        ),
        (
            "-A -f 1\n-a -f 1 -r 10.0.0.1:80 (null) -w 1",
            "line 2: no option takes \"(null)\": -a -f 1 -r 10.0.0.1:80 (null) -w 1"
        ),
        (
            "-A -f 1\n-a -f 1 -r 10.0.0.1:80 -p 3",
            "line 2: -p is not an option of a destination: -a -f 1 -r 10.0.0.1:80 -p 3"
        ),
    ]) func anErrorNamesTheLineAndWhatIsWrong(text: String, message: String) {
        let error = #expect(throws: TableTextError.self) {
            if text.isEmpty {
                _ = try VirtualService(ipvsadm: text)
            } else {
                _ = try Table(ipvsadm: text)
            }
        }
        #expect(error?.description == message)
    }

    @Test func aValueIsOneLine() throws {
        let service = VirtualService(id: Self.web, scheduler: .sourceHashing, flags: [.hashPort, .onePacket])
        #expect(service.ipvsadm == "-A -t 192.168.5.1:80 -s sh -o -b sh-port")
        #expect(service.description == "TCP 192.168.5.1:80 sh (sh-port) ops")
        let destination = Destination("10.0.0.1", port: 80, weight: 3)
        #expect(destination.ipvsadm == "-r 10.0.0.1:80 -m -w 3")
        #expect(destination.description == "-> 10.0.0.1:80 Masq 3")
        #expect(try Destination(ipvsadm: "-a -t 192.168.5.1:80 \(destination.ipvsadm)") == destination)
        let tunnel = Destination.Tunnel(type: .gue, port: 6080, flags: .remoteChecksum)
        #expect(
            Destination("10.0.0.1", port: 0, forwarding: .tunnel, tunnel: tunnel).description
                == "-> 10.0.0.1:0 Tunnel 1 gue port 6080 remoteChecksum")
        #expect(
            Destination("fd00::1", port: 80, forwarding: .tunnel).description == "-> [fd00::1]:80 Tunnel 1")
        #expect(VirtualService(id: .firewallMark(258, .ipv4)).description == "FWM 258 rr")
        #expect(Timeouts(tcpSeconds: 900, udpSeconds: 300).description == "Timeout (tcp tcpfin udp): 900 - 300")
        #expect(
            SyncDaemon(role: .master, interface: "eth0", syncID: 1, group: "224.0.0.81").description
                == "master sync daemon (mcast=eth0, syncid=1, group=224.0.0.81)")
        #expect(throws: TableTextError.self) { try VirtualService(ipvsadm: "-a -f 1 -r 10.0.0.1:80") }
        #expect(throws: TableTextError.self) { try VirtualService(ipvsadm: "-A -f 1\n-A -f 2") }
        #expect(throws: TableTextError.self) { try Destination(ipvsadm: "-A -f 1") }
        for text in [
            "\(VirtualServiceStatus(service: service, destinations: [DestinationStatus(destination: destination)]))",
            "\(VirtualServiceSummary(service: service))", "\(DestinationStatus(destination: destination))",
            "\(Timeouts(tcpSeconds: 900))", "\(SyncDaemon(role: .master, interface: "eth0", port: 9))",
        ] { #expect(!text.contains("\n"), "\(text)") }
    }

    /// Random tables of values that a kernel can hold, and of many that it cannot.
    @Test func anyTableIsReadAsItWasPrinted() throws {
        var generator = SeededGenerator.announced()
        for _ in 0..<300 {
            let table = Table.random(using: &generator)
            #expect(try Table(ipvsadm: table.ipvsadm) == table)
            for entry in table.entries.values {
                #expect(try Table(ipvsadm: entry.ipvsadm) == Table([entry]))
                #expect(try VirtualService(ipvsadm: entry.service.ipvsadm) == entry.service)
                for destination in entry.destinations.values {
                    #expect(try Destination(ipvsadm: destination.ipvsadm) == destination)
                }
            }
        }
    }

    /// Random text may be read or refused, but must not trap.
    @Test func whateverIsReadIsATableOrAnError() throws {
        var generator = SeededGenerator.announced()
        let words = [
            "-A", "-a", "-t", "-u", "-f", "-6", "-s", "-p", "-M", "--pe", "-o", "-b", "-r", "-m", "-i", "-w", "-x",
            "--",
            "-", "=", "--tun-type=", "--x-service", "--99999-service", "10.0.0.1:80", "[fd00::1]:1", "[", "[]:1", ":",
            "1",
            "-1", "sh", "flag-4294967296", "flag-29", "\\x0", "\\", "\\x2", "\u{e9}", "\u{0}", "\n", "\n",
            "999999999999",
        ]
        var tables = 0
        for _ in 0..<3000 {
            let text = (0..<Int.random(in: 0..<9, using: &generator))
                .map { _ in words.randomElement(using: &generator)! }.joined(separator: Bool.random() ? " " : "")
            guard let table = try? Table(ipvsadm: text) else { continue }
            #expect(try Table(ipvsadm: table.ipvsadm) == table, "\(text)")
            tables += 1
        }
        #expect(tables > 0)
    }
}
