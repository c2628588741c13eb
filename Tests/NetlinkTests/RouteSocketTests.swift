import SystemPackage
import Testing

@testable import Netlink

#if canImport(Glibc)
    import Glibc
#endif

@Suite struct RouteSocketTests {
    struct OddHeader: BitwiseCopyable {
        var family: UInt8 = 2
        var scope: UInt8 = 3
        var index: UInt16 = 0x0504
        var last: UInt8 = 6
    }

    @Test func writesAHeaderPaddedAndAttributesBehindIt() {
        var writer = MessageWriter(capacity: 64)
        writer.empty(family: 0, sequence: 5)
        writer.message(0x12, header: OddHeader(), flags: 0x400) { message in
            message.nest(2) {
                $0.append(UInt8(9))
                $0.put(1, bytes: [7, 8])
            }
        }
        writer.acknowledgeLast()
        #expect(
            Array(writer.bytes) == [
                40, 0, 0, 0, 0x12, 0, 0x05, 0x04, 5, 0, 0, 0, 0, 0, 0, 0,  // nlmsghdr: request, acknowledge, create
                2, 3, 4, 5, 6, 0, 0, 0,
                16, 0, 2, 0x80,  // a nest
                9, 0, 0, 0,
                6, 0, 1, 0, 7, 8, 0, 0,
            ])
    }

    /// These need no rights, and loopback is in every namespace.
    @Test func findsLoopbackAndNothingOfAnotherName() throws {
        var socket = try RouteSocket()
        let loopback = try #require(try socket.link(named: "lo"))
        #expect(loopback.index == Int32(if_nametoindex("lo")))
        #expect(loopback.kind == nil && loopback.peer == nil)
        #expect(try socket.link(named: "nosuch0") == nil)
        // The socket goes on after an error, and the next answer is that to the next question.
        #expect(try socket.link(named: "lo") == loopback)
    }

    @Test func keepsTheErrno() throws {
        var socket = try RouteSocket()
        #expect(throws: Errno(rawValue: ERANGE)) { try socket.link(named: "a-name-that-is-too-long-for-an-interface") }
        let number = try #require(try socket.link(named: "lo")).index
        // Loopback cannot be deleted, by nobody.
        #expect {
            try socket.delete(number)
        } throws: {
            [Errno.notPermitted, .notSupportedOnSocket].contains($0 as? Errno)
        }
    }
}
