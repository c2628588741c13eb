import IPVSKit

/// Translates matches and targets of iptables from the kernel's structures (`linux/netfilter/xt_….h`) into words of
/// iptables-save. The structures are the same for the legacy and the nft variant.
///
/// An extension that is not listed here, or has another revision, is written by its name alone and so counts as
/// unknown.
enum XTWords {
    /// - Parameter setName: returns the name of the ipset set with a number. A rule refers to a set by its number only.
    static func words(
        isTarget: Bool, _ name: String, revision: UInt32, _ info: [UInt8], isIPv6: Bool,
        setName: (UInt16) -> String? = { _ in nil }
    ) -> [String] {
        isTarget
            ? ["-j", name] + target(name, revision, Bytes(info), isIPv6)
            : match(name, revision, Bytes(info), setName) ?? ["-m", name, "--…"]
    }

    /// The bytes of a structure.
    struct Bytes {
        let bytes: [UInt8]
        init(_ bytes: [UInt8]) { self.bytes = bytes }

        func has(_ count: Int) -> Bool { bytes.count >= count }
        func byte(_ place: Int) -> UInt8 { place < bytes.count ? bytes[place] : 0 }
        /// A 16-bit number in the machine's byte order.
        func half(_ place: Int) -> UInt16 {
            UInt16(littleEndian: UInt16(byte(place)) | UInt16(byte(place + 1)) << 8)
        }
        func word(_ place: Int) -> UInt32 {
            UInt32(littleEndian: UInt32(half(place)) | UInt32(half(place + 2)) << 16)
        }
        func bigEndianHalf(_ place: Int) -> UInt16 { half(place).byteSwapped }
        func address(_ place: Int, isIPv6: Bool) -> String {
            if !isIPv6 { return "\(IPAddress(ipv4: word(place).byteSwapped))" }
            let number = (0..<16).reduce(UInt128(0)) { $0 << 8 | UInt128(byte(place + $1)) }
            return "\(IPAddress(ipv6: number))"
        }
    }

    // MARK: Matches

    private static func match(
        _ name: String, _ revision: UInt32, _ info: Bytes, _ setName: (UInt16) -> String?
    ) -> [String]? {
        switch (name, revision) {
        case ("comment", _): ["-m", "comment"]
        case ("conntrack", 1...3): conntrack(info, stateBytes: revision == 1 ? 1 : 2)
        case ("tcp", 0): tcp(info)
        case ("udp", 0): ports(info, invert: info.byte(8))
        case ("multiport", 1): multiport(info)
        case ("addrtype", 1): addressType(info)
        case ("pkttype", 0):
            ["-m", "pkttype"] + negated(info.word(4) != 0)
                + [
                    "--pkt-type",
                    info.word(0) < 3 ? ["unicast", "broadcast", "multicast"][Int(info.word(0))] : "other",
                ]
        case ("mark", 1):
            ["-m", "mark"] + negated(info.byte(8) != 0) + ["--mark", "\(info.word(0))/\(info.word(4))"]
        // The third argument says where the structure has the operators that compare packet and byte counters of an
        // element. A match that uses them cannot be predicted.
        case ("set", 1...2): set(info, comparisons: [], setName)
        case ("set", 3): set(info, comparisons: [8, 24], setName)
        case ("set", 4): set(info, comparisons: [16, 32], setName)
        case ("rpfilter", 0): ["-m", "rpfilter"] + (info.byte(0) & 8 != 0 ? ["--invert"] : [])
        default: nil
        }
    }

    private static func negated(_ isSo: Bool) -> [String] { isSo ? ["!"] : [] }
    private static func option(_ name: String, _ value: String) -> [String] { [name, value] }

    /// `struct xt_conntrack_mtinfo1` to `3`. It begins with eight addresses of 16 bytes, which are not evaluated.
    private static func conntrack(_ info: Bytes, stateBytes: Int) -> [String]? {
        let flags = 128 + 8 + 2 + 8
        guard info.has(flags + 4 + 2 * stateBytes) else { return nil }
        let (asked, inverted) = (info.half(flags), info.half(flags + 2))
        let states = stateBytes == 1 ? UInt16(info.byte(flags + 4)) : info.half(flags + 4)
        let status = stateBytes == 1 ? UInt16(info.byte(flags + 5)) : info.half(flags + 6)
        // The known bits are STATE, STATUS, DIRECTION and the alias that `-m state` uses.
        guard asked & ~(1 | 1 << 6 | 1 << 12 | 1 << 13) == 0 else { return nil }
        var words = ["-m", "conntrack"]
        if asked & 1 != 0 { words += negated(inverted & 1 != 0) + option("--ctstate", Self.states(states)) }
        if asked & 1 << 6 != 0 {
            words += negated(inverted & 1 << 6 != 0) + option("--ctstatus", Self.status(status))
        }
        // An inverted direction is the other direction, in the kernel, too.
        if asked & 1 << 12 != 0 {
            words += option("--ctdir", inverted & 1 << 12 != 0 ? "REPLY" : "ORIGINAL")
        }
        return words
    }

    /// `struct xt_set_info_match_v1`, `_v3` and `_v4` begin with the set's number, the number of parts in a key, and
    /// bits. The first bit stands for `!`, the next ones for each part that is taken from the source, and the last for
    /// `--return-nomatch`.
    private static func set(
        _ info: Bytes, comparisons: [Int], _ setName: (UInt16) -> String?
    ) -> [String]? {
        let (parts, bits) = (Int(info.byte(2)), info.byte(3))
        guard info.has(4), (1...6).contains(parts), bits & 1 << 7 == 0, comparisons.allSatisfy({ info.byte($0) == 0 }),
            let name = setName(info.half(0))
        else { return nil }
        let directions = (1...parts).map { bits & 1 << UInt8($0) != 0 ? "src" : "dst" }
        return ["-m", "set"] + negated(bits & 1 != 0) + ["--match-set", name, directions.joined(separator: ",")]
    }

    private static func status(_ bits: UInt16) -> String {
        let names =
            [(0x1, "EXPECTED"), (0x2, "SEEN_REPLY"), (0x4, "ASSURED"), (0x8, "CONFIRMED")] as [(UInt16, String)]
        let found = names.filter { bits & $0.0 != 0 }.map(\.1)
        return found.isEmpty ? "NONE" : found.joined(separator: ",")
    }

    /// The names for `XT_CONNTRACK_STATE_BIT`: INVALID first, then the kernel's own order.
    private static func states(_ bits: UInt16) -> String {
        let names =
            [
                (0x1, "INVALID"), (0x2, "ESTABLISHED"), (0x4, "RELATED"), (0x8, "NEW"), (0x40, "SNAT"), (0x80, "DNAT"),
                (0x100, "UNTRACKED"),
            ] as [(UInt16, String)]
        return names.filter { bits & $0.0 != 0 }.map(\.1).joined(separator: ",")
    }

    /// `struct xt_tcp`.
    private static func tcp(_ info: Bytes) -> [String]? {
        guard info.has(12), info.byte(8) == 0, let ports = ports(info, invert: info.byte(11) & 3) else { return nil }
        let (mask, value) = (info.byte(9), info.byte(10))
        guard mask != 0 else { return ports }
        return ports + negated(info.byte(11) & 4 != 0) + ["--tcp-flags", flags(mask), flags(value)]
    }

    private static func flags(_ bits: UInt8) -> String {
        let names = ["FIN", "SYN", "RST", "PSH", "ACK", "URG"]
        let found = names.indices.filter { bits & 1 << UInt8($0) != 0 }.map { names[$0] }
        return found.isEmpty ? "NONE" : found.joined(separator: ",")
    }

    /// The ports at the beginning of `struct xt_tcp` and `struct xt_udp`.
    private static func ports(_ info: Bytes, invert: UInt8) -> [String]? {
        guard info.has(8) else { return nil }
        var words: [String] = []
        for (place, name, bit) in [(0, "--sport", 1), (4, "--dport", 2)] as [(Int, String, UInt8)] {
            let (first, last) = (info.half(place), info.half(place + 2))
            if first == 0, last == .max, invert & bit == 0 { continue }
            words += negated(invert & bit != 0) + [name, "\(first):\(last)"]
        }
        return words
    }

    /// `struct xt_multiport_v1`.
    private static func multiport(_ info: Bytes) -> [String]? {
        guard info.has(48) else { return nil }
        var list: [String] = []
        var place = 0
        while place < Int(min(info.byte(1), 15)) {
            let first = info.half(2 + 2 * place)
            // This port begins a range, and the next one ends it.
            if info.byte(32 + place) != 0, place + 1 < 15 {
                list.append("\(first):\(info.half(4 + 2 * place))")
                place += 1
            } else {
                list.append("\(first)")
            }
            place += 1
        }
        let name = info.byte(0) == 0 ? "--sports" : info.byte(0) == 1 ? "--dports" : "--ports"
        return ["-m", "multiport"] + negated(info.byte(47) != 0) + [name, list.joined(separator: ",")]
    }

    /// `struct xt_addrtype_info_v1`.
    private static func addressType(_ info: Bytes) -> [String]? {
        guard info.has(8) else { return nil }
        let names = [
            "UNSPEC", "UNICAST", "LOCAL", "BROADCAST", "ANYCAST", "MULTICAST", "BLACKHOLE", "UNREACHABLE", "PROHIBIT",
        ]
        func list(_ bits: UInt16) -> String {
            names.indices.filter { bits & 1 << UInt16($0) != 0 }.map { names[$0] }.joined(separator: ",")
        }
        let flags = info.word(4)
        var words = ["-m", "addrtype"]
        if info.half(0) != 0 { words += negated(flags & 1 != 0) + ["--src-type", list(info.half(0))] }
        if info.half(2) != 0 { words += negated(flags & 2 != 0) + ["--dst-type", list(info.half(2))] }
        return words
    }

    // MARK: Targets

    private static func target(_ name: String, _ revision: UInt32, _ info: Bytes, _ isIPv6: Bool) -> [String] {
        switch (name, revision) {
        case ("CT", _): conntrack(flags: info.half(0), zone: info.half(2))
        case ("MARK", 2): ["--set-xmark", "\(info.word(0))/\(info.word(4))"]
        // The fields are ctmark, ctmask, nfmask, in revision 2 a shift of two bytes, and the mode: set, save, restore.
        case ("CONNMARK", 1...2):
            info.byte(revision == 1 ? 12 : 14) == 2
                ? ["--restore-mark", "--nfmask", "\(info.word(8))", "--ctmask", "\(info.word(4))"] : []
        // The structure names three sets: one for adding, one for deleting and one for lookups. A missing set has the
        // number 65535.
        case ("SET", 3): info.has(12) && info.half(8) != .max ? ["--map-mark"] : []
        case ("DNAT", 0) where !isIPv6, ("REDIRECT", 0) where !isIPv6: oldRange(name, info)
        case ("DNAT", _), ("REDIRECT", _): range(name, info, isIPv6)
        case ("TPROXY", 0...1) where info.has(revision == 0 ? 16 : 26):
            ["--on-port", "\(info.bigEndianHalf(revision == 0 ? 12 : 24))"]
        default: []
        }
    }

    /// `struct xt_ct_target_info` and `_v1`: the flag `XT_CT_NOTRACK` and its alias, and the directions to which a zone
    /// applies.
    private static func conntrack(flags: UInt16, zone: UInt16) -> [String] {
        if flags & 0b11 != 0 { return ["--notrack"] }
        let option = flags & 0b100 != 0 ? "--zone-orig" : flags & 0b1000 != 0 ? "--zone-reply" : "--zone"
        // XT_CT_ZONE_MARK: the packet's mark is the number of the zone.
        if flags & 0b10000 != 0 { return [option, "mark"] }
        return zone == 0 ? [] : [option, "\(zone)"]
    }

    /// `struct nf_nat_range` and `nf_nat_range2`.
    private static func range(_ name: String, _ info: Bytes, _ isIPv6: Bool) -> [String] {
        guard info.has(40) else { return [] }
        let flags = info.word(0)
        let address = flags & 1 != 0 ? info.address(4, isIPv6: isIPv6) : nil
        return destination(name, address, flags & 2 != 0 ? info.bigEndianHalf(36) : nil, isIPv6)
    }

    /// `struct nf_nat_ipv4_multi_range_compat`.
    private static func oldRange(_ name: String, _ info: Bytes) -> [String] {
        guard info.has(20) else { return [] }
        let flags = info.word(4)
        let address = flags & 1 != 0 ? info.address(8, isIPv6: false) : nil
        return destination(name, address, flags & 2 != 0 ? info.bigEndianHalf(16) : nil, false)
    }

    private static func destination(_ name: String, _ address: String?, _ port: UInt16?, _ isIPv6: Bool) -> [String] {
        if name == "REDIRECT" { return port.map { ["--to-ports", "\($0)"] } ?? [] }
        switch (address, port) {
        case (let address?, let port?):
            return ["--to-destination", isIPv6 ? "[\(address)]:\(port)" : "\(address):\(port)"]
        case (let address?, nil): return ["--to-destination", address]
        case (nil, let port?): return ["--to-destination", ":\(port)"]
        case (nil, nil): return []
        }
    }
}
