import IPVSKit
import TestSupport
import Testing

extension KernelTests {
    /// ipvsadm writes a table, IPVSKit reads it and writes it elsewhere, and ipvsadm saves the same lines.
    @Suite struct IPVSRoundTripTests {
        private static let services = [
            "-A -t 10.0.0.1:80 -s rr",
            "-A -t 10.0.0.2:80 -s wrr",
            "-A -t 10.0.0.3:80 -s lc",
            "-A -t 10.0.0.4:80 -s wlc -p 300",
            "-A -t 10.0.0.5:80 -s wlc -p 86400 -M 255.255.0.0",
            "-A -t 10.0.0.6:0 -s rr -p 60",
            "-A -t 10.0.0.7:80 -s sh",
            "-A -t 10.0.0.8:80 -s sh -b sh-fallback",
            "-A -t 10.0.0.9:80 -s sh -b sh-port",
            "-A -t 10.0.0.10:80 -s sh -b sh-fallback,sh-port",
            "-A -t 10.0.0.11:80 -s mh -b mh-fallback,mh-port",
            "-A -t 10.0.0.12:80 -s sed",
            "-A -t 10.0.0.13:80 -s nq",
            "-A -t 10.0.0.14:80 -s fo",
            "-A -t 10.0.0.15:80 -s ovf",
            "-A -t 10.0.0.16:80 -s dh",
            "-A -t 10.0.0.17:80 -s lblc",
            "-A -t 10.0.0.18:80 -s lblcr",
            "-A -u 10.0.0.1:53 -s rr -o",
            "-A -u 10.0.0.2:5060 -s rr -p 30 --pe sip",
            "-A --sctp-service 10.0.0.1:9 -s wrr",
            "-A -t [fd00::1]:443 -s wlc",
            "-A -t [fd00::2]:443 -s wlc -p 300 -M 64",
            "-A -u [fd00::3]:53 -s mh -o -b mh-port",
            "-A -f 1 -s rr",
            "-A -f 1 -6 -s rr",
            "-A -f 2147483647 -s wlc -p 42",
            "-A -f 2147483646 -6 -s sh -p 300 -M 48 -b sh-fallback",
        ]

        private static let destinations = [
            "-a -t 10.0.0.1:80 -r 10.1.0.1:8080 -m -w 1",
            "-a -t 10.0.0.1:80 -r 10.1.0.2:80 -m -w 0",
            "-a -t 10.0.0.2:80 -r 10.1.0.1:80 -g -w 65536",
            "-a -t 10.0.0.2:80 -r 10.1.0.2:80 -g -w 2147483647",
            "-a -t 10.0.0.3:80 -r 10.1.0.3:80 -i -w 7 --tun-type ipip",
            "-a -t 10.0.0.3:80 -r 10.1.0.4:80 -i -w 7 --tun-type gue --tun-port 6080 --tun-nocsum",
            "-a -t 10.0.0.3:80 -r 10.1.0.5:80 -i -w 7 --tun-type gue --tun-port 6080 --tun-csum",
            "-a -t 10.0.0.3:80 -r 10.1.0.6:80 -i -w 7 --tun-type gre --tun-nocsum",
            "-a -t 10.0.0.6:0 -r 10.1.0.1:0 -m -w 1",
            "-a --sctp-service 10.0.0.1:9 -r 10.1.0.1:9 -m -w 3",
            "-a -t [fd00::1]:443 -r [fd01::1]:8443 -m -w 2",
            "-a -t [fd00::1]:443 -r [fd01::2]:443 -g -w 2",
            "-a -f 1 -r 10.1.0.1:0 -m -w 1",
            "-a -f 1 -r 10.1.0.1:80 -m -w 1",
            "-a -f 1 -6 -r [fd01::1]:80 -m -w 1",
        ]

        @Test func whatIpvsadmSavedIsSavedAgain() async throws {
            try await Topology.with { topology in
                let source = try await topology.namespace("source")
                let target = try await topology.namespace("target")
                try await source.check(
                    "ipvsadm", "-R", input: (Self.services + Self.destinations).joined(separator: "\n") + "\n")
                let saved = try await source.check("ipvsadm", "-Sn").sortedLines()
                #expect(saved == (Self.services + Self.destinations).sorted(), "ipvsadm itself keeps them")

                let table = try await IPVS(in: .named(source.name)).table()
                try await IPVS(in: .named(target.name)).perform(Table.changes(from: Table(), to: table)).get()
                let again = try await target.check("ipvsadm", "-Sn").sortedLines()
                #expect(again == saved)
                // ipvsadm -S leaves out thresholds.
                let thresholds = try await target.check("ipvsadm", "-Ln", "--thresholds").sortedLines()
                let thresholdsBefore = try await source.check("ipvsadm", "-Ln", "--thresholds").sortedLines()
                #expect(thresholds == thresholdsBefore)
            }
        }
    }
}

extension String {
    /// ipvsadm ends some lines with a space.
    fileprivate func sortedLines() -> [String] {
        split(separator: "\n").map { line in
            String(line.reversed().drop { $0 == " " }.reversed())
        }.sorted()
    }
}
