@_spi(Testing) import IPVSKit

#if canImport(Glibc)
    import Glibc
#endif

/// Reads the datagrams in the files that it is given, over and over, and prints for each of them how many messages were
/// read and how many allocations that took. The counting is done by malloc-counter.c, which must be preloaded.
@main
struct AllocationProbe {
    static func main() {
        guard let symbol = dlsym(nil, "malloc_counter_allocations") else {
            fail("malloc-counter.c is not preloaded")
        }
        let allocations = unsafeBitCast(symbol, to: (@convention(c) () -> UInt64).self)
        for path in CommandLine.arguments.dropFirst() {
            let (messages, count) = measure(read(path), allocations)
            print(messages, count)
        }
    }

    private static func measure(
        _ datagram: UnsafeRawBufferPointer, _ allocations: @convention(c) () -> UInt64
    ) -> (messages: Int, allocations: UInt64) {
        // Allocations that the runtime makes once for each type do not count.
        for _ in 0..<3 { _ = messages(in: datagram) }
        let before = allocations()
        var count = 0
        for _ in 0..<10 { count += messages(in: datagram) }
        return (count, allocations() - before)
    }

    private static func messages(in datagram: UnsafeRawBufferPointer) -> Int {
        var weights: UInt64 = 0
        let tally = ReceivePath.parse(datagram) {
            weights &+= $0.statistics.connections
        } destination: {
            weights &+= UInt64($0.destination.weight)
        }
        total &+= weights
        // A message that is not read completely would prove nothing.
        if tally.incomplete > 0 || tally.isMalformed { fail("a datagram is not what it should be") }
        return tally.services + tally.destinations + tally.failures
    }

    /// The result is kept, so that the compiler cannot remove the reading.
    nonisolated(unsafe) static var total: UInt64 = 0

    private static func read(_ path: String) -> UnsafeRawBufferPointer {
        let file = open(path, O_RDONLY)
        guard file >= 0 else { fail("cannot open \(path)") }
        defer { close(file) }
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 8)
        let count = Glibc.read(file, buffer.baseAddress, buffer.count)
        guard count >= 0, count < buffer.count else { fail("cannot read \(path)") }
        return UnsafeRawBufferPointer(rebasing: buffer[..<count])
    }

    private static func fail(_ message: String) -> Never {
        print("AllocationProbe: \(message)")
        exit(1)
    }
}
