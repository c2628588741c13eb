import Netlink
import SystemPackage
import TestSupport
import Testing

#if canImport(Glibc)
    import Glibc
#endif

/// Counts every allocation of a process of its own that reads the kernel's answers.
@Suite(
    .disabled("a sanitizer has a malloc of its own, which is not counted") {
        dlsym(nil, "__tsan_init") != nil || dlsym(nil, "__asan_init") != nil
    })
struct AllocationTests {
    /// Complete messages of one service and one destination. `repeats` is how often some attributes are repeated.
    private static func service(
        scheduler: String = "wlc", engine: String? = nil, repeats: Int = 0, counters: Int = 10
    ) -> [UInt8] {
        let statistics = (1...counters).flatMap { attribute($0, [UInt8](repeating: 1, count: 8)) }
        var attributes =
            attribute(1, [2, 0]) + attribute(2, [6, 0]) + attribute(3, [10, 0, 0, 1]) + attribute(4, [0, 80])
            + attribute(6, Array(scheduler.utf8) + [0]) + attribute(7, [3, 0, 0, 0, 0, 0, 0, 0])
            + attribute(8, [44, 1, 0, 0]) + attribute(9, [255, 255, 255, 0])
        if let engine { attributes += attribute(11, Array(engine.utf8) + [0]) }
        attributes += attribute(10, statistics) + attribute(12, statistics)
        for _ in 0..<repeats { attributes += attribute(8, [44, 1, 0, 0]) + attribute(4, [0, 80]) }
        return message(command: 1, attribute(1, attributes))
    }

    private static func destination(repeats: Int = 0, counters: Int = 10) -> [UInt8] {
        let statistics = (1...counters).flatMap { attribute($0, [UInt8](repeating: 1, count: 8)) }
        var attributes =
            attribute(11, [10, 0]) + attribute(1, [0xFD] + [UInt8](repeating: 0, count: 15)) + attribute(2, [0, 80])
        for type in [3, 4, 5, 6, 7, 8, 9] { attributes += attribute(type, [1, 0, 0, 0]) }
        attributes += attribute(13, [1]) + attribute(14, [23, 192]) + attribute(15, [0, 0])
        attributes += attribute(10, statistics) + attribute(12, statistics)
        for _ in 0..<repeats { attributes += attribute(4, [1, 0, 0, 0]) + attribute(2, [0, 80]) }
        return message(command: 5, attribute(2, attributes))
    }

    private static func attribute(_ type: Int, _ payload: [UInt8]) -> [UInt8] {
        let header = [UInt8(truncatingIfNeeded: 4 + payload.count), UInt8((4 + payload.count) >> 8)]
        return padded(header + [UInt8(truncatingIfNeeded: type), UInt8(type >> 8)] + payload)
    }

    private static func message(command: UInt8, _ attributes: [UInt8]) -> [UInt8] {
        reply(to: [UInt8](repeating: 0, count: 16), type: 0x1F, payload: [command, 1, 0, 0] + attributes)
    }

    private static func padded(_ bytes: [UInt8]) -> [UInt8] {
        bytes + [UInt8](repeating: 0, count: aligned(bytes.count) - bytes.count)
    }

    /// For each datagram, the allocations per message.
    private func allocations(reading datagrams: [[UInt8]]) async throws -> [Double] {
        try await TemporaryDirectory.with { folder in
            let source = FilePath(#filePath).removingLastComponent().removingLastComponent()
                .appending("AllocationProbe/malloc-counter.c")
            let counter = folder.appending("malloc-counter.so").string
            try await Shell.check("clang", "-shared", "-fPIC", "-O1", "-o", counter, source.string)
            var paths: [String] = []
            for (index, datagram) in datagrams.enumerated() {
                let path = folder.appending("\(index)")
                try path.write(datagram)
                paths.append(path.string)
            }
            let ran = try await Shell.run(
                [try BuiltProducts.path("AllocationProbe")] + paths, environment: ["LD_PRELOAD": counter])
            guard ran.status == 0 else { throw Shell.Failed(ran: ran) }
            let lines = ran.output.split(separator: "\n").map { $0.split(separator: " ").compactMap { Double($0) } }
            try #require(lines.count == datagrams.count && lines.allSatisfy { $0.count == 2 && $0[0] > 0 }, "\(ran)")
            return lines.map { $0[1] / $0[0] }
        }
    }

    @Test func anAttributeCostsNoAllocation() async throws {
        let datagrams: [(String, [UInt8])] = [
            ("service", Self.service()),
            ("service, 20 attributes more", Self.service(repeats: 10)),
            ("service, 2000 attributes more", Self.service(repeats: 1000)),
            ("service, 1000 counters", Self.service(counters: 1000)),
            ("service, names of 15 bytes", Self.service(scheduler: "abcdefghijklmno", engine: "abcdefghijklmno")),
            ("destination", Self.destination()),
            ("destination, 20 attributes more", Self.destination(repeats: 10)),
            ("destination, 2000 attributes more", Self.destination(repeats: 1000)),
            ("destination, 1000 counters", Self.destination(counters: 1000)),
        ]
        let counts = try await allocations(reading: datagrams.map(\.1))
        for ((name, _), count) in zip(datagrams, counts) {
            print("allocations per message: \(count) (\(name))")
            #expect(count == 0, "\(name)")
        }
    }

    /// The counter must count: a name that is too long for Swift to store in the value, which no kernel sends, must
    /// show as an allocation.
    @Test func theCounterSeesALongName() async throws {
        let long = String(repeating: "a", count: 40)
        #expect(try await allocations(reading: [Self.service(scheduler: long)]) == [1])
    }
}
