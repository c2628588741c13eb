import IPVSKit
import RuleKit
import SystemPackage
import Testing

@testable import MeshKit

#if canImport(Glibc)
    import Glibc
#endif

/// The published ports that an agent holds.
@Suite struct HeldPortsTests {
    private static func spec(_ bindings: [PortBinding], target: UInt16 = 80, task: IPAddress = "10.0.0.2") throws
        -> MeshSpec
    {
        var spec = MeshSpec()
        try spec.addTask(SpecTask(address: task), service: "nginx")
        for binding in bindings { try spec.publish(binding, target: target, service: "nginx") }
        return spec
    }

    @Test func singlePortsOfTheNodesAddressesAreHeld() throws {
        let spec = try Self.spec([
            PortBinding(1080, .tcp), PortBinding(5353, .udp), PortBinding(9999, .sctp), PortBinding(2000...2010, .tcp),
            PortBinding(443, .tcp, at: "192.168.5.1"), PortBinding(444, .tcp, at: "192.168.5.9"),
        ])
        #expect(
            spec.heldPorts(own: ["192.168.5.1"]).sorted().map(\.description) == [
                "192.168.5.1:443/tcp", "1080/tcp", "5353/udp",
            ])
    }

    /// A server on the node itself may be started after the port was published.
    @Test func aPortIsLeftToTheTaskThatListensOnIt() throws {
        let bindings = [PortBinding(80, .tcp), PortBinding(80, .udp), PortBinding(1080, .tcp)]
        var spec = try Self.spec(bindings, task: "192.168.5.1")
        #expect(
            spec.heldPorts(own: ["192.168.5.1"]).sorted().map(\.description) == ["1080/tcp"])
        #expect(spec.heldPorts(own: []).count == 3)
        // Also where a port of another service leads there.
        try spec.publish(PortBinding(8000...8010, .tcp), target: 1075, service: "nginx")
        #expect(spec.heldPorts(own: ["192.168.5.1"]).isEmpty)
    }

    @Test(arguments: [TransportProtocol.tcp, .udp]) func nobodyElseBindsAHeldPort(transport: TransportProtocol) throws {
        let holder = PortHolder()
        let port = try Self.freePort(transport)
        for address in [nil, "127.0.0.1"] as [IPAddress?] {
            let held = HeldPort(transport, at: address, port)
            #expect(holder.hold([held]) == [:])
            #expect(holder.hold([held]) == [:])
            for other in [nil, "127.0.0.1"] as [IPAddress?] {
                #expect(PortHolder.isTaken(HeldPort(transport, at: other, port)))
            }
            let second = PortHolder()
            #expect(second.hold([held]) == [held: .addressInUse])
            #expect(holder.hold([]) == [:])
            #expect(!PortHolder.isTaken(held))
        }
        _ = holder.hold([HeldPort(transport, port)])
        withExtendedLifetime(holder) {}
    }

    @Test func aHolderThatEndsReleasesItsPorts() throws {
        let port = HeldPort(.tcp, try Self.freePort(.tcp))
        var holder: PortHolder? = PortHolder()
        #expect(holder!.hold([port]) == [:])
        #expect(PortHolder.isTaken(port))
        holder = nil
        #expect(!PortHolder.isTaken(port))
    }

    @Test func warningsSayWhoShowsTheProgram() {
        #expect(
            HeldPort(.udp, 53).warning(because: .addressInUse, hasListener: true)
                == "a program on this node listens on 53/udp, which is published, and gets no connections from there: "
                + "`ss -lnup sport = :53` shows the program")
        #expect(
            HeldPort(.tcp, 80).warning(because: .permissionDenied, hasListener: false)
                == "the port 80/tcp cannot be held: Permission denied")
        #expect(
            HeldPort(.tcp, 80).warning(because: .addressInUse, hasListener: false)
                == "the port 80/tcp cannot be held yet, since connections of this node use it; it is tried again")
    }

    /// A port that nobody uses, below those that the kernel gives away.
    private static func freePort(_ transport: TransportProtocol) throws -> UInt16 {
        try #require((20_000...30_000).first { !PortHolder.isTaken(HeldPort(transport, $0)) })
    }
}
