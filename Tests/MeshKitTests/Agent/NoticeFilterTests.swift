import Testing

@testable import MeshKit
@testable import Netlink

/// Which messages of the kernel about changes call for a pass. The numbers are written out here.
@Suite struct NoticeFilterTests {
    private static let (newLink, delLink, newAddress, newRoute, newNeighbour, delNeighbour):
        (
            UInt16, UInt16, UInt16, UInt16, UInt16, UInt16
        ) = (16, 17, 20, 24, 28, 29)

    private static func isNews(_ filter: inout NoticeFilter, _ type: UInt16, _ payload: [UInt8]) -> Bool {
        payload.withUnsafeBytes { bytes in NetlinkMessage(type: type, payload: bytes).map { filter.isNews($0) } ?? false
        }
    }

    /// `struct ndmsg`: family, padding, interface, state, flags, type.
    private static func neighbour(_ interface: UInt8, state: UInt8, family: UInt8 = 2) -> [UInt8] {
        [family, 0, 0, 0, interface, 0, 0, 0, state, 0, 0, 0]
    }

    /// `struct ifinfomsg`, and `IFLA_GROUP`.
    private static func link(_ interface: UInt8, group: UInt32) -> [UInt8] {
        let header: [UInt8] = [0, 0, 1, 0, interface, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]
        return header + [8, 0, 27, 0] + withUnsafeBytes(of: group.littleEndian) { Array($0) }
    }

    /// Incomplete, reachable, stale, delay, probe; failed, without ARP, permanent.
    @Test(arguments: [(0x01, false), (0x02, false), (0x04, false), (0x08, false), (0x10, false)] as [(UInt8, Bool)])
    func whatTheKernelFindsByItselfIsNoNews(state: UInt8, expected: Bool) {
        for type in [Self.newNeighbour, Self.delNeighbour] {
            for family: UInt8 in [2, 10, 7] {
                var filter = NoticeFilter(ours: nil)
                #expect(Self.isNews(&filter, type, Self.neighbour(3, state: state, family: family)) == expected)
            }
        }
    }

    @Test(arguments: [0x20, 0x40, 0x80] as [UInt8]) func entriesThatSomebodyWroteAreNews(state: UInt8) {
        var own = NoticeFilter(ours: nil)
        var lent = NoticeFilter(ours: [3])
        for type in [Self.newNeighbour, Self.delNeighbour] {
            #expect(Self.isNews(&own, type, Self.neighbour(3, state: state)))
            #expect(Self.isNews(&lent, type, Self.neighbour(3, state: state)))
            #expect(!Self.isNews(&lent, type, Self.neighbour(4, state: state)))
        }
    }

    @Test func linksOfTheMeshComeAndGo() {
        var filter = NoticeFilter(ours: [])
        let entry = Self.neighbour(5, state: 0x80)
        #expect(!Self.isNews(&filter, Self.newNeighbour, entry))
        #expect(Self.isNews(&filter, Self.newLink, Self.link(5, group: 0)))
        #expect(!Self.isNews(&filter, Self.newNeighbour, entry))
        #expect(Self.isNews(&filter, Self.newLink, Self.link(5, group: 0x6D65_7368)))
        #expect(Self.isNews(&filter, Self.newNeighbour, entry))
        #expect(Self.isNews(&filter, Self.delLink, Self.link(5, group: 0x6D65_7368)))
        #expect(!Self.isNews(&filter, Self.newNeighbour, entry))
    }

    @Test func addressesAndRoutesAreNewsOnAnyInterface() {
        var filter = NoticeFilter(ours: [])
        for type in [Self.newAddress, Self.newRoute] { #expect(Self.isNews(&filter, type, [2, 0, 0, 0])) }
        // A message that ends too early is better looked at once too often.
        #expect(Self.isNews(&filter, Self.newNeighbour, [2, 0, 0, 0]))
    }
}
