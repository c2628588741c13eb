import IPVSKit
import MeshKit
import TestSupport
import Testing

extension KernelTests {
    @Suite struct BridgesTests {
        @Test func makesAPortTurnPacketsBackAndNothingElse() async throws {
            try await MeshHost.with(tasks: 1) { host in
                try await host.node.ip([
                    "link add br7 type bridge", "link add p1 type veth peer name q1", "link set p1 master br7",
                    "link add p2 type veth peer name q2", "link set p2 master br7", "link add d7 type dummy",
                    "link set d7 master br7", "link add p3 type veth peer name q3", "link add br8 type bridge",
                ])
                let bridges = try Bridges(in: .named(host.node.name))
                let interfaces: Set = ["br7", "br8", "v11", "p3", "nosuch"]
                func shown() async throws -> String { try await host.node.check("ip", "-d", "link", "show") }
                func words(_ line: Substring) -> [Substring] { line.split(separator: " ") }
                let before = try await shown()
                // Nothing but ports that lead into a container.
                #expect(
                    try await bridges.ports(among: interfaces) == ["br7": ["p1": false, "p2": false], "br8": [:]])
                for _ in 1...2 { try await bridges.setHairpin(true, of: "p1") }
                #expect(try await bridges.ports(among: interfaces)["br7"] == ["p1": true, "p2": false])
                let (old, new) = try await (before.split(separator: "\n"), shown().split(separator: "\n"))
                let changed = zip(old, new).filter { $0 != $1 }.map { (words($0), words($1)) }
                try #require(old.count == new.count && changed.count == 1)
                #expect(zip(changed[0].0, changed[0].1).filter { $0 != $1 }.map { [$0, $1] } == [["off", "on"]])
                try await bridges.setHairpin(false, of: "p1")
                #expect(try await shown() == before)

                // Not as if 127.0.0.1 could not be answered: that would be switched off for good.
                let refused = try await host.node.check(
                    "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups",
                    try BuiltProducts.path("HairpinProbe"), "p1")
                #expect(refused.hasPrefix("PlaceError: cannot make the bridge port p1 turn"), "\(refused)")
                #expect(refused.contains("CAP_NET_ADMIN") && !refused.contains("127.0.0.1"), "\(refused)")

                // A container that ended meanwhile takes its port with it.
                try await bridges.setHairpin(true, of: "nosuch")
                try await bridges.setHairpin(true, of: "p3")
                #expect(try await shown() == before)
            }
        }
    }
}
