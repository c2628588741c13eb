import SystemPackage
import Testing

@testable import Netlink

/// What the controller of generic netlink answers, and what is made of it.
@Suite struct FamilyLookupTests {
    private static func lookUp(_ answers: [Result<[UInt8], Errno>], sending: Errno? = nil) -> Result<
        UInt16, NetlinkError
    > {
        var answers = answers
        return FamilyLookup.id(of: "IPVS", send: { _ in sending }) { buffer in
            answers.removeFirst().map { bytes in
                buffer.copyBytes(from: bytes)
                return bytes.count
            }
        }
    }

    private static func acknowledgement(_ errno: Int32) -> [UInt8] {
        withUnsafeBytes(of: (UInt32(36), UInt16(2), UInt16(0), UInt32.max, UInt32(0), -errno)) { Array($0) }
            + [UInt8](repeating: 0, count: 16)
    }

    private static let family: [UInt8] =
        withUnsafeBytes(of: (UInt32(28), UInt16(16), UInt16(0), UInt32.max, UInt32(0))) { Array($0) }
        + [1, 2, 0, 0] + [6, 0, 1, 0, 0x23, 0, 0, 0]

    @Test func givesTheIDOfAFamilyThatIsThere() {
        #expect(Self.lookUp([.success(Self.family), .success(Self.acknowledgement(0))]) == .success(0x23))
        #expect(Self.lookUp([.success(Self.family + Self.acknowledgement(0))]) == .success(0x23))
    }

    /// A missing module is what ENOENT says, and nothing else does.
    @Test func saysWhatTheKernelSaid() {
        #expect(Self.lookUp([.success(Self.acknowledgement(2))]) == .failure(.familyNotFound("IPVS")))
        for errno: Errno in [.notPermitted, .permissionDenied, .noMemory, .noBufferSpace, .invalidArgument] {
            #expect(Self.lookUp([.success(Self.acknowledgement(errno.rawValue))]) == .failure(.refused(errno)))
            #expect(Self.lookUp([.failure(errno)]) == .failure(.socket(errno)))
            #expect(Self.lookUp([], sending: errno) == .failure(.socket(errno)))
        }
        #expect(Self.lookUp([.failure(.resourceTemporarilyUnavailable)]) == .failure(.socket(.timedOut)))
        #expect(Self.lookUp([.success(Self.acknowledgement(0))]) == .failure(.socket(.badMessage)))
    }
}
