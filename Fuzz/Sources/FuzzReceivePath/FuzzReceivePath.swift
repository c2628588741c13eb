@_spi(Testing) import IPVSKit

/// libFuzzer's entry: one input is one datagram.
@c(LLVMFuzzerTestOneInput)
public func fuzzReceivePath(_ start: UnsafeRawPointer?, _ count: Int) -> CInt {
    var hasher = Hasher()
    let tally = ReceivePath.parse(UnsafeRawBufferPointer(start: start, count: count)) {
        // Whatever was read is used, so that reading it cannot be optimised away.
        hasher.combine($0)
    } destination: {
        hasher.combine($0)
    } other: {
        hasher.combine($0)
    }
    hasher.combine(tally)
    checksum ^= hasher.finalize()
    return 0
}

/// Written and never read.
nonisolated(unsafe) public var checksum = 0
