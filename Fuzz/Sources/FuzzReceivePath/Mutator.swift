import CLibFuzzer

/// libFuzzer's mutations, and mostly lengths that fit again behind them.
///
/// A byte more or less anywhere, and the length of the last message is wrong: the parser stops at once, and what a wrong
/// length does further in is never seen.
@c(LLVMFuzzerCustomMutator)
public func mutate(_ start: UnsafeMutablePointer<UInt8>?, _ count: Int, _ limit: Int, _ seed: CUnsignedInt) -> Int {
    let count = LLVMFuzzerMutate(start, count, limit)
    let datagram = UnsafeMutableRawBufferPointer(start: start, count: count)
    // How deep lengths are repaired: not at all, those of messages, or those of attributes on up to three levels.
    let depth = Int(seed >> 8 & 0xFF) % 5
    if depth > 0, !isText(datagram) { mendMessages(datagram, attributeLevels: depth - 1) }
    return count
}

/// Whether it begins like a line and not like a message, whose length has no letters. Lines have no lengths to mend.
private func isText(_ input: UnsafeMutableRawBufferPointer) -> Bool {
    input.count >= 4 && input[..<4].allSatisfy { (0x20..<0x7F).contains($0) }
}

private func mendMessages(_ datagram: UnsafeMutableRawBufferPointer, attributeLevels: Int) {
    var offset = 0
    while datagram.count - offset >= 16 {
        let rest = datagram.count - offset
        let stated = Int(datagram.loadUnaligned(fromByteOffset: offset, as: UInt32.self))
        let isLast = stated < 16 || (stated + 3) & ~3 >= rest
        let length = isLast ? rest : stated
        if isLast { datagram.storeBytes(of: UInt32(rest), toByteOffset: offset, as: UInt32.self) }
        // The attributes begin behind the headers of netlink and generic netlink.
        if length > 20 {
            mendAttributes(.init(rebasing: datagram[(offset + 20)..<(offset + length)]), levels: attributeLevels)
        }
        offset += (length + 3) & ~3
    }
}

/// Lets the last attribute end where the bytes do, and so on inside it.
private func mendAttributes(_ bytes: UnsafeMutableRawBufferPointer, levels: Int) {
    guard levels > 0 else { return }
    var offset = 0
    while bytes.count - offset >= 4 {
        let rest = bytes.count - offset
        let stated = Int(bytes.loadUnaligned(fromByteOffset: offset, as: UInt16.self))
        guard stated < 4 || (stated + 3) & ~3 >= rest else {
            offset += (stated + 3) & ~3
            continue
        }
        guard let length = UInt16(exactly: rest) else { return }
        bytes.storeBytes(of: length, toByteOffset: offset, as: UInt16.self)
        return mendAttributes(.init(rebasing: bytes[(offset + 4)...]), levels: levels - 1)
    }
}
