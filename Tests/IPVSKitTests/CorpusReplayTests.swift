import Foundation
@_spi(Testing) import IPVSKit
import SystemPackage
import TestSupport
import Testing

/// Reads the inputs that the fuzzer kept, and datagrams of a kernel, with all the checks of a debug build.
@Suite struct CorpusReplayTests {
    private static let fuzz = FilePath(#filePath).removingLastComponent().removingLastComponent()
        .removingLastComponent().appending("Fuzz")

    /// Calls `body` with every input of a folder. The memory ends at the end of the input, so that an overread is
    /// found.
    private func replay(_ folder: String, _ body: (UnsafeRawBufferPointer) throws -> Void) throws {
        let folder = Self.fuzz.appending(folder)
        let names = try FileManager.default.contentsOfDirectory(atPath: folder.string).sorted()
        try #require(!names.isEmpty, "there is nothing in \(folder)")
        for name in names {
            let bytes = try folder.appending(name).bytes()
            let exact = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count, alignment: 1)
            defer { exact.deallocate() }
            exact.copyBytes(from: bytes)
            try body(UnsafeRawBufferPointer(exact))
        }
    }

    @Test func theCorpusIsRead() throws {
        var tallies: [ReceivePath.Tally] = []
        var bytes = 0
        var connections: [Connection] = []
        var services = 0
        var lists: [[Destination]] = []
        try replay("Corpus") { input in
            let ignore: (Any) -> Void = { _ in }
            tallies.append(ReceivePath.parse(input, service: ignore, destination: ignore))
            _ = ReceivePath.parseConnections(input) { connections.append($0) }
            if let list = ReceivePath.parseSocketOptions(input, service: { _, _ in services += 1 }) {
                lists.append(list)
            }
            bytes += input.count
        }
        #expect(bytes < 1_000_000)
        // A corpus whose inputs the parser refuses at once would test nothing.
        #expect(tallies.contains { $0.services > 0 })
        #expect(tallies.contains { $0.destinations > 0 })
        #expect(tallies.contains { $0.incomplete > 0 })
        #expect(tallies.contains { $0.failures > 0 })
        #expect(tallies.contains { $0.isComplete })
        #expect(tallies.contains { $0.isMalformed })
        #expect(connections.contains { $0.client.address.family == .ipv6 })
        #expect(connections.contains { $0.client.address.family == .ipv4 && $0.persistenceKey != nil })
        #expect(services > 0)
        #expect(lists.contains { $0.count > 1 })
    }

    /// Datagrams of a kernel, captured while the kernel tests ran: dumps, acknowledgements, errors.
    @Test func whatAKernelSentIsRead() throws {
        var services: [VirtualService] = []
        var destinations: [Destination] = []
        var failures = 0
        try replay("Seeds") { datagram in
            let tally = ReceivePath.parse(datagram) {
                services.append($0.service)
            } destination: {
                destinations.append($0.destination)
            }
            #expect(!tally.isMalformed)
            #expect(tally.incomplete == 0)
            failures += tally.failures
        }
        #expect(failures > 0)
        #expect(services.contains { $0.id == .address("10.1.0.1", port: 443, protocol: .tcp) })
        #expect(services.contains { $0.id == .address("fd00::1", port: 53, protocol: .udp) })
        #expect(services.contains { $0.id == .firewallMark(0x102, .ipv4) })
        #expect(services.contains { $0.id.family == .ipv6 && $0.persistence?.netmask == .prefix(64) })
        #expect(destinations.contains { $0.id == .init("fd02::1", port: 53) })
        #expect(destinations.contains { $0.tunnel == .init(type: .gue, port: 6080) })
    }
}
