import IPVSContract
import IPVSKit
import TestSupport
import Testing

extension KernelTests {
    /// Tables as text, compared with ipvsadm.
    @Suite struct IPVSTextTests {
        private func inNamespaces(_ body: (TestNamespace, TestNamespace) async throws -> Void) async throws {
            try await Topology.with { topology in
                try await body(try await topology.namespace("source"), try await topology.namespace("target"))
            }
        }

        /// A table with everything that ipvsadm can express.
        private static let table = Table(
            Scheduler.known.enumerated().map { number, scheduler in
                let hashes = [Scheduler.sourceHashing, .maglevHashing].contains(scheduler)
                return .init(
                    VirtualService(
                        id: .address(IPAddress(ipv4: 0x0A00_0001 + UInt32(number)), port: 80, protocol: .tcp),
                        scheduler: scheduler, flags: hashes ? [.hashFallback, .hashPort] : []),
                    destinations: [Destination("10.1.0.1", port: 8080, weight: UInt32(number))])
            } + [
                .init(
                    VirtualService(
                        id: .address("10.0.1.1", port: 0, protocol: .tcp),
                        persistence: .init(timeoutSeconds: 2_678_400, netmask: .mask(0xFF00_FF00))),
                    destinations: [
                        Destination(
                            "10.1.0.1", port: 0, weight: 2_147_483_647, upperThreshold: 2_147_483_647, lowerThreshold: 7
                        ),
                        Destination("10.1.0.2", port: 0, upperThreshold: 9),
                    ]),
                .init(
                    VirtualService(
                        id: .address("10.0.1.2", port: 5060, protocol: .udp),
                        persistence: .init(timeoutSeconds: 30, netmask: .prefix(0)), persistenceEngine: "sip")),
                .init(VirtualService(id: .address("fd00::1", port: 53, protocol: .udp), flags: .onePacket)),
                .init(
                    VirtualService(
                        id: .address("fd00::2", port: 9, protocol: .sctp), persistence: .init(netmask: .prefix(1))),
                    destinations: [Destination("fd01::1", port: 9), Destination("fd01::2", port: 10)]),
                .init(
                    VirtualService(id: .firewallMark(0x7FFF_FFFF, .ipv4), scheduler: .maglevHashing, flags: .hashPort),
                    destinations: [
                        Destination("10.1.0.1", port: 0, forwarding: .directRoute),
                        Destination("10.1.0.2", port: 8080, weight: 0),
                        Destination("10.1.0.3", port: 0, forwarding: .tunnel),
                        Destination("10.1.0.4", port: 0, forwarding: .tunnel, tunnel: .init(type: .gue, port: 1)),
                        Destination(
                            "10.1.0.5", port: 0, forwarding: .tunnel,
                            tunnel: .init(type: .gue, port: 65535, flags: .checksum)),
                        Destination(
                            "10.1.0.6", port: 0, forwarding: .tunnel,
                            tunnel: .init(type: .gue, port: 6080, flags: .remoteChecksum)),
                        Destination("10.1.0.7", port: 0, forwarding: .tunnel, tunnel: .init(type: .gre)),
                        Destination(
                            "10.1.0.8", port: 0, forwarding: .tunnel, tunnel: .init(type: .gre, flags: .checksum)),
                        Destination("fd01::1", port: 0, forwarding: .tunnel),
                    ]),
                .init(
                    VirtualService(
                        id: .firewallMark(0xFFFF_FFFF, .ipv6), scheduler: .sourceHashing, flags: .hashFallback,
                        persistence: .init(netmask: .prefix(64))),
                    destinations: [Destination("fd01::1", port: 80)]),
                .init(VirtualService(id: .firewallMark(0x8000_0000, .ipv4), scheduler: .roundRobin)),
            ])

        private static let withoutThresholds: Table = {
            var result = IPVSTextTests.table
            for id in result.entries.keys {
                for destination in result.entries[id]!.destinations.keys {
                    result[id]![destination]!.upperThreshold = 0
                    result[id]![destination]!.lowerThreshold = 0
                }
            }
            return result
        }()

        /// Compares with `ipvsadm -Ln`, ignoring the padding of columns and the counts of connections.
        @Test func aTablePrintsAsIpvsadmListsIt() async throws {
            try await inNamespaces { source, _ in
                try await source.check("ipvsadm", "-R", input: Self.table.ipvsadm)
                let listed = try await source.check("ipvsadm", "-Ln").split(separator: "\n").dropFirst(3)
                    .map { line in
                        let words = line.split(separator: " ")
                        return (words[0] == "->" ? words.prefix(4) : words[...]).joined(separator: " ")
                    }
                let printed = Self.withoutThresholds.description.split(separator: "\n").map { line in
                    let words = line.split(separator: " ")
                    return (words[0] == "->" ? words.prefix(4) : words[...]).joined(separator: " ")
                }
                // ipvsadm prints a mark as a signed number.
                let signed = printed.map { line in
                    let words = line.split(separator: " ", maxSplits: 2)
                    guard words[0] == "FWM", let mark = UInt32(words[1]) else { return line }
                    return "FWM \(Int32(bitPattern: mark)) \(words[2])"
                }
                #expect(listed.sorted() == signed.sorted())
            }
        }

        @Test func whatIsWrittenIsRestoredByIpvsadm() async throws {
            try await inNamespaces { source, target in
                try await source.check("ipvsadm", "-R", input: Self.table.ipvsadm)
                #expect(try await IPVS(in: .named(source.name)).table() == Self.table)

                // The table that IPVSKit writes by netlink equals the one that ipvsadm restored from the text.
                let ipvs = try IPVS(in: .named(target.name))
                try await ipvs.perform(Table.changes(from: Table(), to: Self.table)).get()
                let lines = try await target.check("ipvsadm", "-Sn").split(separator: "\n").sorted()
                #expect(try await source.check("ipvsadm", "-Sn").split(separator: "\n").sorted() == lines)
            }
        }

        @Test func whatIpvsadmSavesIsRead() async throws {
            try await inNamespaces { source, _ in
                let ipvs = try IPVS(in: .named(source.name))
                try await ipvs.perform(Table.changes(from: Table(), to: Self.table)).get()
                let saved = try await source.check("ipvsadm", "-Sn")
                #expect(try Table(ipvsadm: saved) == Self.withoutThresholds)
                #expect(try Table(ipvsadm: try await ipvs.table().ipvsadm) == Self.table)
            }
        }

        /// Some names are for certain schedulers only, others for all.
        @Test func flagsAreCalledAsIpvsadmCallsThem() async throws {
            try await inNamespaces { source, target in
                let text = """
                    -A -f 1 -s sh -b sh-fallback,sh-port
                    -A -f 2 -s mh -b flag-1
                    -A -f 3 -s rr -b flag-1,flag-2,flag-3
                    -A -f 4 -s sh -b flag-3
                    """
                try await source.check("ipvsadm", "-R", input: text)
                let table = try await IPVS(in: .named(source.name)).table()
                #expect(try Table(ipvsadm: text) == table)
                try await target.check("ipvsadm", "-R", input: table.ipvsadm)
                #expect(try await IPVS(in: .named(target.name)).table() == table)
            }
        }

        /// Long options, attached arguments, no port, no method: ipvsadm and this library read the same.
        @Test func whatAPersonWritesIsReadAsIpvsadmReadsIt() async throws {
            try await inNamespaces { source, _ in
                let text = """
                    ipvsadm --add-service --tcp-service 10.0.0.1:80
                    -a --tcp-service=10.0.0.1:80 --real-server 10.1.0.1 --weight=7
                    -a -t10.0.0.1:80 -r10.1.0.2:8080 -mw3
                    --add-server -t 10.0.0.1:80 -r 10.1.0.3:80 --ipip -x 5 --l-threshold 4

                    -A -t 10.0.0.2 -p -s rr
                    -A -t fd00::1 -swrr -p 60 --netmask 48
                    -A --udp-service [fd00::2]:53 --ops --scheduler mh --sched-flags mh-port
                    -A --fwmark-service 7 --ipv6 --scheduler=sh --persistent=9 -M 64
                    -a -f 7 -6 -r [fd01::1]:80 --masquerading
                    """
                try await source.check("ipvsadm", "-R", input: text + "\n")
                #expect(try Table(ipvsadm: text) == (try await IPVS(in: .named(source.name)).table()))
            }
        }

        /// Checks the statements of the article Recipes.
        @Test func whatIpvsadmCannotSay() async throws {
            try await inNamespaces { source, target in
                let ipvs = try IPVS(in: .named(source.name))
                let web = VirtualService.ID.address("10.0.0.1", port: 80, protocol: .tcp)
                func restored(_ destination: Destination, _ service: VirtualService? = nil) async throws -> Table {
                    let entry = Table.Entry(service ?? VirtualService(id: web), destinations: [destination])
                    // ipvsadm prints the lines that it refuses, but its exit status is that of the last line only.
                    _ = try? await target.check("ipvsadm", "-R", input: entry.ipvsadm)
                    let table = try await IPVS(in: .named(target.name)).table()
                    try await target.check("ipvsadm", "-C")
                    return table
                }
                let plain = Destination("10.1.0.1", port: 80)

                // ipvsadm prints a local destination as one of direct routing, and has no option for it.
                var local = plain
                local.forwarding = .local
                try await ipvs.create(VirtualService(id: web))
                try await ipvs.create(local, of: web)
                let saved = try await source.check("ipvsadm", "-Sn")
                #expect(saved.contains("-r 10.1.0.1:80 -g -w 1"), "\(saved)")
                #expect(try await restored(local)[web]?.destinations.isEmpty == true)

                // ipvsadm gives a destination that is not masqueraded the port of the service.
                var elsewhere = Destination("10.1.0.1", port: 8080, forwarding: .directRoute)
                #expect(try await restored(elsewhere)[web]?.destinations.keys.map(\.port) == [80])
                elsewhere.forwarding = .masquerade
                #expect(try await restored(elsewhere)[web]?.destinations.keys.map(\.port) == [8080])

                // ipvsadm refuses an option that it does not know, and does not read it as another one.
                for tunnel in [
                    Destination.Tunnel(type: .init(rawValue: 7)), .init(flags: .init(rawValue: 4)),
                    .init(type: .gue, port: 1, flags: [.checksum, .remoteChecksum]),
                ] {
                    let destination = Destination("10.1.0.1", port: 80, forwarding: .tunnel, tunnel: tunnel)
                    #expect(try await restored(destination)[web]?.destinations.isEmpty == true, "\(destination)")
                }
                for service in [
                    VirtualService(id: web, flags: .init(rawValue: 0x40)),
                    VirtualService(id: web, persistence: .init(timeoutSeconds: 2_678_401)),
                    VirtualService(id: .address("10.0.0.1", port: 80, protocol: .init(rawValue: 47))),
                ] { #expect(try await restored(plain, service) == Table(), "\(service)") }
            }
        }
    }
}
