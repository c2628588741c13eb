import IPVSKit
import SystemPackage
import Testing

@testable import MeshKit

#if canImport(Glibc)
    import Glibc
#endif

@Suite struct ListenerTests {
    @Test func tcpSocketsThatListen() {
        let text = """
              sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
               0: 0100007F:0CEA 00000000:0000 0A 00000000:00000000 00:00000000 00000000   112        0 21007 1 ffff9c0a4 100 0 0 10 0
               1: 00000000:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 23456 1 ffff9c0a5 100 0 0 10 0
               2: 0A01000A:0050 0201000A:D2F0 01 00000000:00000000 02:000A7D3B 00000000    33        0 24001 2 ffff9c0a6 20 4 30 10 -1
               3: 0A01000A:0016 0201000A:D2F1 06 00000000:00000000 03:00000A12 00000000     0        0 0 3 ffff9c0a7
            """
        #expect(
            SocketTable.entries(.tcp, text) == [
                .init(address: "127.0.0.1", port: 3306, inode: 21007),
                .init(address: "0.0.0.0", port: 80, inode: 23456),
            ])
    }

    @Test func socketsOfIPv6() {
        let head = "  sl  local_address                         remote_address                        st tx_queue …\n"
        let rest = "00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0"
        let text =
            head + "   0: 00000000000000000000000000000000:0050 \(rest) 23457 1 ffff9c0a 100 0 0 10 0\n"
            + "   1: 000000FD000000000000000001000000:0051 \(rest) 23458 1 ffff9c0a 100 0 0 10 0\n"
            + "   2: 0000000000000000FFFF00000A01000A:0052 \(rest) 23459 1 ffff9c0a 100 0 0 10 0\n"
        #expect(
            SocketTable.entries(.tcp, text) == [
                .init(address: "::", port: 80, inode: 23457),
                .init(address: "fd00::1", port: 81, inode: 23458),
                .init(address: "10.0.1.10", port: 82, inode: 23459),
            ])
    }

    @Test func datagramSocketsThatAreNotConnected() {
        let text = """
               sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops
              364: 3500007F:0035 00000000:0000 07 00000000:00000000 00:00000000 00000000   991        0 6543 2 ffff8a 0
              365: 00000000:CA6C 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 0 2 ffff8b 0
              366: 0A01000A:9C40 08080808:0035 01 00000000:00000000 00:00000000 00000000     0        0 7001 2 ffff8c 0
            """
        #expect(
            SocketTable.entries(.udp, text) == [
                .init(address: "127.0.0.53", port: 53, inode: 6543),
                .init(address: "0.0.0.0", port: 51820, inode: 0),
            ])
    }

    @Test func endpointsOfSCTP() {
        let text = """
             ENDPT     SOCK   STY SST HBKT LPORT   UID INODE LADDRS
            ffff9c0a ffff9c0b 2   10  29   3868     0  31001 10.0.1.10 fd00:0000:0000:0000:0000:0000:0000:0001
            ffff9c0c ffff9c0d 0   7   30   3869     0  31002 0.0.0.0
            """
        #expect(
            SocketTable.sctpEntries(text) == [
                .init(address: "10.0.1.10", port: 3868, inode: 31001),
                .init(address: "fd00::1", port: 3868, inode: 31001),
            ])
    }

    @Test func connectionsThatMoveData() {
        let text = """
              sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
               0: 0400FF0A:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 31000 1
               1: 0400FF0A:0050 0905A8C0:9C40 01 00000000:00000000 00:00000000 00000000     0        0 31001 1
               2: 0400FF0A:0050 0905A8C0:9C41 06 00000000:00000000 03:00001770 00000000     0        0 0 3
               3: 0400FF0A:0050 0905A8C0:9C42 04 00000000:00000000 01:00000019 00000000     0        0 31003 1
               4: 0400FF0A:0050 0905A8C0:9C43 07 00000000:00000000 01:00000019 00000000     0        0 31004 1
               5: 0400FF0A:0050 0905A8C0:9C44 03 00000000:00000000 01:00000019 00000000     0        0 0 1
            """
        #expect(
            SocketTable.connections(text).map { "\($0.local) \($0.remote)" } == [
                "10.255.0.4:80 192.168.5.9:40000", "10.255.0.4:80 192.168.5.9:40002", "10.255.0.4:80 192.168.5.9:40004",
            ])
        let mapped = """
              sl  local_address remote_address st
               0: 0000000000000000FFFF00000400FF0A:0050 0000000000000000FFFF00000905A8C0:9C40 01 00000000:00000000 00:00000000 00000000     0        0 31001 1
            """
        #expect(SocketTable.connections(mapped).map(\.local) == [.init("10.255.0.4", port: 80)])
    }

    @Test func associationsOfSCTP() {
        let text = """
             ASSOC     SOCK   STY SST ST HBKT ASSOC-ID TX_QUEUE RX_QUEUE UID INODE LPORT RPORT LADDRS <-> RADDRS HBINT INS OUTS MAXRT T1X T2X RTXC wmema wmemq sndbuf rcvbuf
            ffff88 ffff89 2   1   3  0    2        0        0       0 31001 80 40000  *10.255.0.4 fd25::4 <-> *192.168.5.9 	    7500    10    10   10    0    0        0        1        0   212992   212992
            ffff88 ffff89 2   1   0  0    3        0        0       0 31002 80 40001  *10.255.0.4 <-> *192.168.5.9 	    7500    10    10   10    0    0        0        1        0   212992   212992
            """
        #expect(
            SocketTable.sctpConnections(text) == [
                .init(local: .init("10.255.0.4", port: 80), remote: .init("192.168.5.9", port: 40000)),
                .init(local: .init("fd25::4", port: 80), remote: .init("192.168.5.9", port: 40000)),
            ])
    }

    /// A listener, and whether it is in the way of 80/tcp published on all addresses, and on 10.0.1.10 alone.
    @Test(
        arguments: [
            ("0.0.0.0", 80, true, true),
            ("::", 80, true, true),
            ("10.0.1.10", 80, true, true),
            ("127.0.0.1", 80, true, false),
            ("10.0.1.11", 80, true, false),
            ("fd00::1", 80, true, false),
            ("224.0.0.251", 80, false, false),
            ("255.255.255.255", 80, false, false),
            ("0.0.0.0", 81, false, false),
        ] as [(IPAddress, UInt16, Bool, Bool)])
    func whatIsInTheWay(address: IPAddress, port: UInt16, ofAll: Bool, ofOne: Bool) {
        let listener = Listener(transport: .tcp, address: address, port: port)
        func conflicts(_ bind: IPAddress?) -> Bool {
            !Listener.conflicts(publishing: .tcp, ports: 80...80, bind: bind, listeners: [listener]).isEmpty
        }
        #expect(conflicts(nil) == ofAll)
        #expect(conflicts("0.0.0.0") == ofAll)
        #expect(conflicts("10.0.1.10") == ofOne)
    }

    @Test func onlyTheSameTransportAndTheRange() {
        let listeners = [
            Listener(transport: .udp, address: "0.0.0.0", port: 1001),
            Listener(transport: .tcp, address: "0.0.0.0", port: 1010),
            Listener(transport: .tcp, address: "0.0.0.0", port: 1011),
        ]
        #expect(
            Listener.conflicts(publishing: .tcp, ports: 1000...1010, bind: nil, listeners: listeners)
                == [listeners[1]])
    }

    @Test func bindingToIPv6LeavesIPv4Alone() {
        let listener = Listener(transport: .tcp, address: "0.0.0.0", port: 80)
        #expect(Listener.conflicts(publishing: .tcp, ports: 80...80, bind: "fd00::1", listeners: [listener]).isEmpty)
    }

    /// The listener, published port, target, and whether it is excused as the task on 10.0.1.10.
    @Test(
        arguments: [
            ("0.0.0.0", 80, 80, true),
            ("::", 80, 80, true),
            ("10.0.1.10", 80, 80, true),
            ("127.0.0.1", 80, 80, false),
            ("10.0.1.11", 80, 80, false),
            ("0.0.0.0", 1080, 80, false),
        ] as [(IPAddress, UInt16, UInt16, Bool)])
    func aTaskOfTheServiceIsNotInItsWay(address: IPAddress, published: UInt16, target: UInt16, isExcused: Bool) {
        let node = [InterfaceAddress(address: "10.0.1.10", prefixLength: 24, interface: "eth0")]
        let tasks = [SpecTask(address: "10.0.1.10"), SpecTask(address: "10.0.1.99")]
        let own = Listener.ownTasks(tasks, targets: target...target, on: node)
        #expect(own == [Destination.ID("10.0.1.10", port: target)])
        let listener = Listener(transport: .tcp, address: address, port: published)
        let conflicts = Listener.conflicts(
            publishing: .tcp, ports: published...published, bind: nil, listeners: [listener], excusing: own)
        #expect(conflicts.isEmpty == isExcused)
    }

    @Test func aTaskElsewhereExcusesNobodyHere() {
        let node = [InterfaceAddress(address: "10.0.1.10", prefixLength: 24, interface: "eth0")]
        #expect(Listener.ownTasks([SpecTask(address: "10.0.1.99")], targets: 80...80, on: node).isEmpty)
    }

    @Test func says() {
        let nginx = Listener(
            transport: .tcp, address: "::", port: 80, process: .init(pid: 815, name: "nginx"))
        #expect("\(nginx)" == "nginx (pid 815) on [::]:80/tcp")
        #expect(
            "\(Listener(transport: .udp, address: "0.0.0.0", port: 53))"
                == "a process that cannot be seen on 0.0.0.0:53/udp")
    }

    @Test(arguments: [TransportProtocol.tcp, .udp]) func findsASocketOfThisProcess(transport: TransportProtocol) throws
    {
        let type = transport == .tcp ? SOCK_STREAM : SOCK_DGRAM
        let descriptor = socket(AF_INET, CInt(type.rawValue) | CInt(SOCK_CLOEXEC.rawValue), 0)
        try #require(descriptor >= 0)
        defer { close(descriptor) }
        var name = sockaddr_in()
        name.sin_family = sa_family_t(AF_INET)
        name.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let bound = withUnsafeMutablePointer(to: &name) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, length) == 0 && getsockname(descriptor, $0, &length) == 0
            }
        }
        try #require(bound)
        if transport == .tcp { try #require(listen(descriptor, 1) == 0) }
        let port = UInt16(bigEndian: name.sin_port)

        let found = try Listeners.read(transport: transport, ports: port...port)
        #expect(found.map(\.address) == ["127.0.0.1"])
        #expect(found.map(\.process?.pid) == [getpid()])
        #expect(found.allSatisfy { $0.process?.name.isEmpty == false })
    }

    @Test func loopbackIsAnAddressOfThisNode() throws {
        #expect(
            try NodeAddresses.read().contains(InterfaceAddress(address: "127.0.0.1", prefixLength: 8, interface: "lo")))
    }
}
