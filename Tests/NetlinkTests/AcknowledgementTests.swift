import SystemPackage
import Testing

@testable import Netlink

#if canImport(Glibc)
    import Glibc
#endif

@Suite struct AcknowledgementTests {
    private static func read(_ bytes: [UInt8]) -> Acknowledgement? {
        bytes.withUnsafeBytes { bytes in
            NetlinkHeader(bytes).flatMap { header in
                Acknowledgement(header, UnsafeRawBufferPointer(rebasing: bytes[NetlinkHeader.size...]))
            }
        }
    }

    private static func message(
        type: UInt16 = 2, flags: UInt16, error: Int32, quoting: [UInt8] = [], words: String? = nil
    ) -> [UInt8] {
        var body = withUnsafeBytes(of: -error) { Array($0) } + quoting
        if let words {
            let text = Array(words.utf8) + [0]
            body += withUnsafeBytes(of: (UInt16(4 + text.count), UInt16(1))) { Array($0) } + text
            while body.count % 4 != 0 { body.append(0) }
        }
        return withUnsafeBytes(of: (UInt32(16 + body.count), type, flags, UInt32(1), UInt32(0))) { Array($0) } + body
    }

    private static func request(_ payload: Int) -> [UInt8] {
        withUnsafeBytes(of: (UInt32(16 + payload), UInt16(0xA0F), UInt16(5), UInt32(1), UInt32(0))) { Array($0) }
    }

    @Test func hasTheKernelsWords() {
        // Cut: the request's header alone.
        #expect(
            Self.read(Self.message(flags: 0x300, error: 22, quoting: Self.request(40), words: "Invalid prefix"))
                .map { [$0.errno?.rawValue.description, $0.message] } == ["22", "Invalid prefix"])
        // Not cut: all of it.
        let whole = Self.request(40) + [UInt8](repeating: 7, count: 40)
        #expect(
            Self.read(Self.message(flags: 0x200, error: 22, quoting: whole, words: "Invalid prefix"))?.message
                == "Invalid prefix")
        // The end of a list quotes nothing.
        #expect(
            Self.read(Self.message(type: 3, flags: 0x200, error: 16, words: "Busy"))?.message == "Busy")
        #expect(Self.read(Self.message(flags: 0x100, error: 1, quoting: Self.request(40)))?.errno == .notPermitted)
        #expect(Self.read(Self.message(flags: 0x100, error: 0, quoting: Self.request(40)))?.errno == nil)
    }

    @Test func whatIsCutShortHasNoWords() {
        let whole = Self.message(flags: 0x300, error: 22, quoting: Self.request(40), words: "Invalid prefix")
        for length in 16..<whole.count {
            var cut = Array(whole[..<length])
            cut.replaceSubrange(0..<4, with: withUnsafeBytes(of: UInt32(length)) { Array($0) })
            let answer = Self.read(cut)
            #expect(length < 20 ? answer == nil : answer?.message != "Invalid prefix" || length >= 54)
        }
    }

    /// Of the kernel that the tests run on: it needs no rights to be refused.
    @Test func theKernelSaysWhyARouteIsRefused() async throws {
        struct Header: BitwiseCopyable {
            var family: UInt8 = 2, destination: UInt8 = 32, source: UInt8 = 0, tos: UInt8 = 0, table: UInt8 = 0
            var `protocol`: UInt8 = 0, scope: UInt8 = 0, type: UInt8 = 0
            var flags: UInt32 = 0
        }
        // RTM_GETROUTE with an address (RTA_DST) of one byte.
        let client = RouteClient(in: try NamespaceHandle(path: "/proc/thread-self/ns/net"))
        let error = await #expect(throws: NetlinkError.self) {
            try await client.perform(26, header: Header()) { $0.put(1, UInt8(1)) }
        }
        #expect(error?.message?.isEmpty == false)
    }
}
