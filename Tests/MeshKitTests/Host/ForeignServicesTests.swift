import IPVSKit
import RuleKit
import Testing

@testable import MeshKit

/// Which IPVS services of other programs lose their clients to a published port.
@Suite struct ForeignServicesTests {
    private static let own: Set<IPAddress> = ["127.0.0.1", "192.168.5.1", "192.168.6.1", "fd00::1", "fe80::1"]

    private static let ids: [VirtualService.ID] = [
        .address("192.168.5.1", port: 80, protocol: .tcp), .address("192.168.5.1", port: 53, protocol: .udp),
        .address("192.168.6.1", port: 0, protocol: .tcp), .address("fd00::1", port: 80, protocol: .tcp),
        .address("fe80::1", port: 80, protocol: .tcp), .address("127.0.0.1", port: 80, protocol: .tcp),
        .address("192.168.9.9", port: 80, protocol: .tcp), .firewallMark(0x100, .ipv4),
    ]

    @Test(
        arguments: [
            (
                PortBinding(80, .tcp), AddressFamily.allCases,
                ["TCP 192.168.5.1:80", "TCP 192.168.6.1:0", "TCP [fd00::1]:80"]
            ),
            (PortBinding(80, .tcp), [.ipv4], ["TCP 192.168.5.1:80", "TCP 192.168.6.1:0"]),
            (PortBinding(80, .tcp), [], []),
            (PortBinding(80, .tcp, at: "192.168.5.1"), AddressFamily.allCases, ["TCP 192.168.5.1:80"]),
            (PortBinding(79...81, .tcp, at: "192.168.5.1"), AddressFamily.allCases, ["TCP 192.168.5.1:80"]),
            (PortBinding(81, .tcp), AddressFamily.allCases, ["TCP 192.168.6.1:0"]),
            (PortBinding(80, .udp), AddressFamily.allCases, []),
            (PortBinding(53, .udp), AddressFamily.allCases, ["UDP 192.168.5.1:53"]),
        ] as [(PortBinding, [AddressFamily], [String])])
    func servicesThatAreTaken(listening: PortBinding, families: [AddressFamily], expected: [String]) {
        let addresses: Set<IPAddress> = listening.address.map { [$0] } ?? Self.own
        let table = Table(Self.ids.map { Table.Entry(VirtualService(id: $0)) })
        let taken = table.services(takenBy: listening, at: addresses, families: Set(families))
        #expect(taken.map(\.description) == expected)
    }
}
