@_spi(Testing) import IPVSKit

/// libFuzzer's entry: one input is one datagram. It is also a file and the answer to a `getsockopt`: the parsers of these
/// give up at once where it is not, and one corpus is enough.
@c(LLVMFuzzerTestOneInput)
public func fuzzReceivePath(_ start: UnsafeRawPointer?, _ count: Int) -> CInt {
    var hasher = Hasher()
    let input = UnsafeRawBufferPointer(start: start, count: count)
    let tally = ReceivePath.parse(input) {
        // The result is used, so that the compiler cannot remove the reading.
        hasher.combine($0)
    } destination: {
        hasher.combine($0)
    } other: {
        hasher.combine($0)
    }
    hasher.combine(tally)
    let refused = ReceivePath.parseConnections(input) { hasher.combine($0) }
    hasher.combine(refused)
    let destinations = ReceivePath.parseSocketOptions(input) {
        hasher.combine($0)
        hasher.combine($1)
    }
    hasher.combine(destinations)
    checksum ^= hasher.finalize()
    return 0
}

/// Written and never read.
nonisolated(unsafe) public var checksum = 0
