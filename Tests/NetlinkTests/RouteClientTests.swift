import CNetlink
import Synchronization
import SystemPackage
import Testing

@testable import Netlink

#if canImport(Glibc)
    import Glibc
#endif

/// The route client against sockets that are closures, and what of it the kernel answers without any rights.
@Suite(.timeLimit(.minutes(1))) struct RouteClientTests {
    private static let interrupted = UInt16(NLM_F_DUMP_INTR)

    /// What the kernel would say of an interface, in a dump or alone.
    private static func link(_ index: UInt8, _ name: String, flags: UInt16 = 0, answering request: [UInt8]) -> [UInt8] {
        let text = Array(name.utf8) + [0]
        let attribute = [UInt8(4 + text.count), 0, UInt8(IFLA_IFNAME), 0] + text
        return .message(
            type: UInt16(RTM_NEWLINK), flags: flags, sequence: sequence(request), port: 0,
            payload: [0, 0, 1, 0, index, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0] + attribute)
    }

    private static func done(answering request: [UInt8], flags: UInt16 = 0) -> [UInt8] {
        .message(type: UInt16(NLMSG_DONE), flags: flags, sequence: sequence(request), port: 0, payload: .number(0))
    }

    private static func sequence(_ request: [UInt8]) -> UInt32 {
        request.withUnsafeBytes { NetlinkHeader($0)!.sequence }
    }

    /// A dump that is interrupted as many times as there are flags to say so, and then is not.
    private static func client(interrupting places: [String], requests: Counter = Counter()) -> RouteClient {
        RouteClient(simulatingSocket: { request in
            let number = requests.next()
            let place = number < places.count ? places[number] : ""
            let first = link(1, "old\(number)", flags: place == "first" ? interrupted : 0, answering: request)
            let second = link(2, "new\(number)", flags: place == "second" ? interrupted : 0, answering: request)
            return [
                .success(first), .success(second + done(answering: request, flags: place == "done" ? interrupted : 0)),
            ]
        })
    }

    private final class Counter: Sendable {
        private let count = Mutex(0)
        var value: Int { count.withLock { $0 } }
        func next() -> Int {
            count.withLock { count in
                defer { count += 1 }
                return count
            }
        }
    }

    @Test(arguments: [[], ["first"], ["second"], ["done"], ["first", "done", "second"]])
    func aListThatChangesWhileItIsReadIsReadAgain(places: [String]) async throws {
        let requests = Counter()
        let client = Self.client(interrupting: places, requests: requests)
        let number = places.count
        #expect(try await client.links().map(\.name) == ["old\(number)", "new\(number)"])
        #expect(requests.value == number + 1)
    }

    @Test func aListThatAlwaysChangesIsGivenUp() async throws {
        let requests = Counter()
        let places = Array(repeating: "done", count: Connection.dumpAttempts)
        let client = Self.client(interrupting: places, requests: requests)
        await #expect(throws: NetlinkError.interrupted(.inconsistent)) { try await client.links() }
        #expect(requests.value == Connection.dumpAttempts)
        #expect(try await client.links().count == 2)
    }

    /// The kernel says that it dropped answers, and hands over what did arrive: which is not all.
    @Test func aListOfWhichAnswersWereLostIsNone() async throws {
        let isFirst = Locked(true)
        let client = RouteClient(simulatingSocket: { request in
            let loses = isFirst.withLock { first in
                defer { first = false }
                return first
            }
            let answer = Self.link(1, "lo", answering: request)
            let end = Self.done(answering: request)
            return loses
                ? [.failure(.noBufferSpace), .success(answer), .success(end)] : [.success(answer), .success(end)]
        })
        await #expect(throws: NetlinkError.interrupted(.repliesLost)) { try await client.links() }
        #expect(try await client.links().map(\.name) == ["lo"])
    }

    @Test func aMuteKernelMeetsTheDeadline() async throws {
        let client = RouteClient(simulatingSocket: { _ in [] }, deadline: .milliseconds(50))
        await #expect(throws: NetlinkError.interrupted(.deadlineExceeded)) { try await client.links() }
        await #expect(throws: NetlinkError.interrupted(.deadlineExceeded)) { try await client.delete(7) }
    }

    @Test func cancellationEndsTheCall() async throws {
        let client = RouteClient(simulatingSocket: { _ in [] }, deadline: .seconds(600))
        for lists in [true, false] {
            let task = Task {
                if lists { _ = try await client.links() } else { try await client.delete(7) }
            }
            try await Task.sleep(for: .milliseconds(20))
            task.cancel()
            await #expect(throws: NetlinkError.interrupted(.cancelled)) { try await task.value }
        }
    }

    @Test func theKernelsWordsStandInTheError() async throws {
        let client = RouteClient(simulatingSocket: { request in
            let words = Array("Device does not exist".utf8) + [0, 0, 0]
            let attribute = [UInt8(4 + 22), 0, UInt8(NLMSGERR_ATTR_MSG.rawValue), 0] + words
            return [
                .success(
                    .message(
                        type: UInt16(NLMSG_ERROR), flags: UInt16(NLM_F_CAPPED) | UInt16(NLM_F_ACK_TLVS),
                        sequence: Self.sequence(request), port: 0, payload: .number(-EBUSY) + request[..<16] + attribute
                    ))
            ]
        })
        await #expect(throws: NetlinkError.refused(.resourceBusy, message: "Device does not exist")) {
            try await client.delete(7)
        }
    }

    /// A kernel that was built without traffic control answers for the links only.
    @Test(arguments: [(EOPNOTSUPP, true), (ENOMEM, false)])
    func programsWithoutTrafficControl(error: CInt, isTaken: Bool) async throws {
        let client = RouteClient(simulatingSocket: { request in
            let type = request.withUnsafeBytes { NetlinkHeader($0)!.type }
            guard type == UInt16(RTM_GETQDISC) else { return [.success(Self.done(answering: request))] }
            return [
                .success(
                    .message(
                        type: UInt16(NLMSG_ERROR), sequence: Self.sequence(request), port: 0,
                        payload: .number(-error) + request[..<16]))
            ]
        })
        if isTaken {
            #expect(try await client.programs() == [])
        } else {
            await #expect(throws: NetlinkError.refused(Errno(rawValue: error), message: nil)) {
                try await client.programs()
            }
        }
    }

    @Test func whatIsCutShortIsNoInterface() async throws {
        let client = RouteClient(simulatingSocket: { request in
            let short = [UInt8].message(
                type: UInt16(RTM_NEWLINK), sequence: Self.sequence(request), port: 0, payload: [0, 0, 1, 0, 1, 0, 0, 0])
            return [.success(short), .success(Self.done(answering: request))]
        })
        await #expect(throws: NetlinkError.interrupted(.malformedReply)) { try await client.links() }
    }

    // MARK: Of the kernel that the tests run on. These need no rights, and loopback is in every namespace.

    private static func here() throws -> RouteClient {
        RouteClient(in: try NamespaceHandle(path: "/proc/self/ns/net"))
    }

    @Test func findsLoopbackAndNothingOfAnotherName() async throws {
        let client = try Self.here()
        let loopback = try #require(try await client.link(named: "lo"))
        #expect(loopback.index == Int32(if_nametoindex("lo")))
        #expect(loopback.kind == nil && loopback.peer == nil && loopback.master == nil)
        #expect(try await client.link(named: "nosuch0") == nil)
        #expect(try await client.links().filter { $0.name == "lo" } == [loopback])
    }

    @Test func saysWhatTheKernelSaid() async throws {
        let client = try Self.here()
        let long = "a-name-that-is-too-long-for-an-interface"
        let error = await #expect(throws: NetlinkError.self) { try await client.link(named: long) }
        #expect(
            error?.errno == Errno(rawValue: ERANGE) && error?.message?.isEmpty == false, "\(String(describing: error))")
        // Loopback cannot be deleted, by nobody.
        let number = try #require(try await client.link(named: "lo")).index
        let refusal = await #expect(throws: NetlinkError.self) { try await client.delete(number) }
        #expect([Errno.notPermitted, .notSupportedOnSocket].contains(refusal?.errno))
    }

    /// `NETLINK_USERSOCK` lets anybody send to anybody, without rights.
    @Test func whatIsNotTheKernelsIsNotHeard() throws {
        func open() throws -> (descriptor: CInt, address: sockaddr_nl) {
            let descriptor = socket(AF_NETLINK, CInt(SOCK_RAW.rawValue) | CInt(SOCK_CLOEXEC.rawValue), NETLINK_USERSOCK)
            try #require(descriptor >= 0)
            var address = sockaddr_nl()
            address.nl_family = sa_family_t(AF_NETLINK)
            var size = socklen_t(MemoryLayout<sockaddr_nl>.size)
            withUnsafeMutableBytes(of: &address) { bytes in
                let pointer = bytes.assumingMemoryBound(to: sockaddr.self).baseAddress!
                #expect(bind(descriptor, pointer, size) == 0 && getsockname(descriptor, pointer, &size) == 0)
            }
            return (descriptor, address)
        }
        let (receiver, address) = try open()
        let (sender, _) = try open()
        defer {
            close(receiver)
            close(sender)
        }
        func send() {
            var address = address
            let message = [UInt8].acknowledgement(of: 1)
            let sent = withUnsafeMutableBytes(of: &address) { bytes in
                sendto(
                    sender, message, message.count, 0, bytes.assumingMemoryBound(to: sockaddr.self).baseAddress!,
                    socklen_t(MemoryLayout<sockaddr_nl>.size))
            }
            #expect(sent == message.count)
        }
        var bytes = [UInt8](repeating: 0, count: 256)
        send()
        #expect(recv(receiver, &bytes, bytes.count, CInt(MSG_DONTWAIT)) == 36, "it does arrive")
        send()
        let heard = bytes.withUnsafeMutableBytes { receiveFromKernel(receiver, into: $0, flags: CInt(MSG_DONTWAIT)) }
        #expect(heard == .failure(.resourceTemporarilyUnavailable))
    }
}
