import IPVSKit
import MeshKit
import TestSupport
import Testing

extension KernelTests {
    @Suite struct LinkFlagsTests {
        @Test func makesABridgePromiscuousAndNothingElse() async throws {
            try await MeshHost.with(tasks: 1) { host in
                try await host.node.ip(["link add br7 type bridge", "addr add 10.7.0.1/24 dev br7", "link set br7 up"])
                try await host.node.ip(["addr add fd07::1/64 dev br7 nodad"])
                let links = LinkFlags(in: .named(host.node.name))
                func flags() async throws -> Set<Substring> {
                    let line = try await host.node.check("ip", "-o", "link", "show", "br7")
                    return Set(line.split(separator: "<")[1].split(separator: ">")[0].split(separator: ","))
                }
                let before = try await flags()
                #expect(try await links.state(of: "br7") == .init(isBridge: true, isPromiscuous: false))
                try await links.setPromiscuous(true, of: "br7")
                try await links.setPromiscuous(true, of: "br7")
                #expect(try await links.state(of: "br7") == .init(isBridge: true, isPromiscuous: true))
                #expect(try await flags() == before.union(["PROMISC"]))
                try await links.setPromiscuous(false, of: "br7")
                #expect(try await flags() == before)

                #expect(try await links.state(of: "v11") == .init(isBridge: false, isPromiscuous: false))
                #expect(try await links.state(of: "nosuch") == nil)
                let error = try await #require(throws: DetourError.self) {
                    try await links.setPromiscuous(true, of: "nosuch")
                }
                #expect("\(error)" == "cannot make the interface nosuch promiscuous: No such device")

                #expect(try await links.interface(towards: "10.7.0.9") == "br7")
                #expect(try await links.interface(towards: "fd07::9") == "br7")
                #expect(try await links.interface(towards: host.tasks[0].link.far4) == "v11")
                #expect(try await links.interface(towards: "192.0.2.1") == nil)
            }
        }

        @Test func knowsWhetherIPTablesSeesBridges() async throws {
            try await MeshHost.with(tasks: 0) { host in
                try await Shell.check("modprobe", "br_netfilter")
                let links = LinkFlags(in: .named(host.node.name))
                for value in ["1", "0"] {
                    try await host.node.check("sysctl", "-qw", "net.bridge.bridge-nf-call-iptables=\(value)")
                    #expect(try await links.iptablesSeesBridges() == (value == "1"))
                }
            }
        }
    }
}
