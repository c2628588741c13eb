import SystemPackage
import Testing

@testable import Netlink

@Suite struct ReplyWindowTests {
    private static let family: UInt16 = 0x1F

    private func take(_ window: inout ReplyWindow, _ messages: [UInt8]...) -> (ReplyWindow.Verdict, [Int]) {
        var seen: [Int] = []
        let verdict = messages.flatMap { $0 }.withUnsafeBytes { bytes in
            window.take(bytes, port: 42) { index, _ in seen.append(index) }
        }
        return (verdict, seen)
    }

    @Test func theAnswerToTheLastMessageCompletesTheWindow() {
        var window = ReplyWindow(range: 10..<13, firstSequence: 500)
        #expect(take(&window, .acknowledgement(of: 502)).0 == .complete)
        #expect(window.failures.isEmpty)
    }

    @Test func failuresAreThoseOfTheirMessages() {
        var window = ReplyWindow(range: 10..<13, firstSequence: 500)
        #expect(take(&window, .error(.noSuchProcess, of: 501)).0 == .more)
        #expect(take(&window, .error(.fileExists, of: 502)).0 == .complete)
        #expect(window.failures == [.init(index: 11, errno: .noSuchProcess), .init(index: 12, errno: .fileExists)])
    }

    @Test func whatAnswersAnotherWindowOrAnotherSocketIsPassedOver() {
        var window = ReplyWindow(range: 0..<2, firstSequence: 500)
        let (verdict, seen) = take(
            &window, .acknowledgement(of: 499), .error(.notPermitted, of: 502), .data(of: 499),
            .acknowledgement(of: 501, port: 43), .data(of: 501, port: 43))
        #expect(verdict == .more)
        #expect(seen.isEmpty)
        #expect(window.failures.isEmpty)
    }

    @Test func sequenceNumbersWrap() {
        var window = ReplyWindow(range: 0..<3, firstSequence: .max)
        #expect(take(&window, .error(.fileExists, of: 0), .acknowledgement(of: 1)).0 == .complete)
        #expect(window.failures == [.init(index: 1, errno: .fileExists)])
    }

    @Test func aDumpEndsWithDoneAndMayFailThere() {
        var window = ReplyWindow(range: 5..<6, firstSequence: 1)
        let (verdict, seen) = take(&window, .data(of: 1), .data(of: 1))
        #expect(verdict == .more)
        #expect(seen == [5, 5])
        #expect(take(&window, .done(of: 1, code: -12)).0 == .complete)
        #expect(window.failures == [.init(index: 5, errno: .noMemory)])
    }

    @Test(
        "what is not netlink is said to be malformed",
        arguments: [
            [1, 2, 3],
            [15, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 42, 0, 0, 0],
            [200, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 42, 0, 0, 0],
            [16, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 42, 0, 0, 0],  // an error without its errno
            [18, 0, 0, 0, 0x1F, 0, 0, 0, 1, 0, 0, 0, 42, 0, 0, 0, 1, 1],  // half a genlmsghdr
        ] as [[UInt8]])
    func malformed(_ bytes: [UInt8]) {
        var window = ReplyWindow(range: 0..<1, firstSequence: 1)
        #expect(take(&window, bytes).0 == .malformed)
    }
}

extension [UInt8] {
    static func message(
        type: UInt16, flags: UInt16 = 0, sequence: UInt32, port: UInt32 = 42, payload: [UInt8]
    ) -> [UInt8] {
        var bytes: [UInt8] = []
        func append<T>(_ value: T) { Swift.withUnsafeBytes(of: value) { bytes += Array($0) } }
        append(UInt32(16 + payload.count))
        append(type)
        append(flags)
        append(sequence)
        append(port)
        bytes += payload
        return bytes + [UInt8](repeating: 0, count: aligned(bytes.count) - bytes.count)
    }

    static func number(_ value: Int32) -> [UInt8] { Swift.withUnsafeBytes(of: value) { Array($0) } }

    static func acknowledgement(of sequence: UInt32, port: UInt32 = 42) -> [UInt8] {
        message(type: 2, sequence: sequence, port: port, payload: number(0) + [UInt8](repeating: 0, count: 16))
    }
    static func error(_ errno: Errno, of sequence: UInt32, port: UInt32 = 42) -> [UInt8] {
        message(
            type: 2, sequence: sequence, port: port, payload: number(-errno.rawValue) + [UInt8](repeating: 0, count: 16)
        )
    }
    static func done(of sequence: UInt32, code: Int32 = 0, port: UInt32 = 42) -> [UInt8] {
        message(type: 3, sequence: sequence, port: port, payload: number(code))
    }
    static func data(of sequence: UInt32, port: UInt32 = 42) -> [UInt8] {
        message(type: 0x1F, sequence: sequence, port: port, payload: [1, 1, 0, 0])
    }
}
