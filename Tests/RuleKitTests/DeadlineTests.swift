import Foundation
import Netlink
import SystemPackage
import TestSupport
import Testing

@testable import RuleKit

#if canImport(Glibc)
    import Glibc
#endif

/// Programs and libraries that hang: the call ends, and says what may still be running.
@Suite(.timeLimit(.minutes(2))) struct DeadlineTests {
    /// In a process of its own, whose PATH leads to a program that hangs.
    @Test func aProgramThatHangsIsKilledAndNamed() async {
        await #expect(processExitsWith: .exitCode(42)) {
            await hang("echo $$ > \"${0%/*}/pid\"; exec sleep 600") { pid in
                for _ in 0..<500 where kill(pid, 0) == 0 { usleep(10_000) }
                return kill(pid, 0) != 0
            }
        }
    }

    /// A program that it has started keeps the ends of the pipes open, and is not known.
    @Test func aProgramWhoseChildHangsIsNotWaitedForEither() async {
        await #expect(processExitsWith: .exitCode(42)) {
            await hang("sleep 600 & echo $! > \"${0%/*}/pid\"; wait") { pid in
                defer { kill(pid, SIGKILL) }
                return kill(pid, 0) == 0
            }
        }
    }

    @Test func aLibraryThatHangsIsNamed() async throws {
        // As a call that does not return: who makes the next one waits for it.
        let isHeld = Flag()
        let mayEnd = Flag()
        Thread.detachNewThread {
            IPSetLibrary.lock.withLock { _ in
                isHeld.set()
                while !mayEnd.isSet { usleep(1000) }
            }
        }
        defer { mayEnd.set() }
        while !isHeld.isSet { try await Task.sleep(for: .milliseconds(1)) }
        let library = IPSetLibrary(namespace: nil, deadline: .milliseconds(50))
        let error = await #expect(throws: RuleError.self) { try await library.names() }
        #expect(error?.code == .deadlineExceeded)
        #expect(
            error?.description
                == "cannot list the ipset sets: libipset did not answer within 0.05 seconds; it is still "
                + "running, and may change the rules yet")
    }

    private final class Flag: Sendable {
        private let lock = NSLock()
        nonisolated(unsafe) private var value = false
        var isSet: Bool { lock.withLock { value } }
        func set() { lock.withLock { value = true } }
    }
}

/// Runs an iptables-restore that is this script, and ends the process with 42 where all is as it should be.
///
/// - Parameter isAsExpected: is given the process that the script wrote the number of into `pid`.
private func hang(_ script: String, _ isAsExpected: (pid_t) -> Bool) async {
    let isExpected: Bool? = try? await TemporaryDirectory.with { folder in
        do {
            let program = folder.appending("iptables-restore")
            try program.write(Array("#!/bin/sh\n\(script)\n".utf8))
            guard chmod(program.string, 0o755) == 0 else { throw Errno(rawValue: errno) }
            let path = getenv("PATH").map { String(cString: $0) } ?? ""
            setenv("PATH", "\(folder):\(path)", 1)
            let start = ContinuousClock.now
            do throws(RuleError) {
                _ = try await IPTablesTool.run(
                    "iptables-restore", [], in: nil, deadline: .seconds(2), operation: "write the rules of iptables")
                return false
            } catch {
                let took = ContinuousClock.now - start
                let text = "iptables-restore did not answer within 2.0 seconds; it is still running"
                let pid = pid_t(try folder.appending("pid").text().split(separator: "\n").first ?? "") ?? 0
                print("after \(took): \(error), process \(pid)")
                return error.code == .deadlineExceeded && error.reason.hasPrefix(text) && took < .seconds(30) && pid > 0
                    && isAsExpected(pid)
            }
        }
    }
    exit(isExpected == true ? 42 : 1)
}
