import IPVSKit
import Netlink
import SystemPackage

#if canImport(Glibc)
    import Glibc
#endif

/// The node's end of the pair, or what goes by its name.
struct NodeEnd: Sendable {
    var link: NetworkLink
    /// Whether its other end is in the namespace that the helper's name stands for.
    var leadsToHelper: Bool

    /// It was made by meshctl, or leads to where only meshctl leads.
    var isOurs: Bool { link.kind == "veth" && (leadsToHelper || link.alias == LoopbackDetour.alias) }
}

/// What the detour asks of the kernel, in the namespace of the socket, on a thread in the same.
extension RouteSocket {
    /// Nil where no interface has the name.
    mutating func nodeEnd(_ content: NamespaceMount.Content) throws(DetourError) -> NodeEnd? {
        do throws(Errno) {
            guard let link = try link(named: LoopbackDetour.interface) else { return nil }
            guard case .namespace(let helper) = content, let number = link.peerNamespace, number >= 0 else {
                return NodeEnd(link: link, leadsToHelper: false)
            }
            return NodeEnd(link: link, leadsToHelper: number == (try self.number(of: helper)))
        } catch {
            throw DetourError("look at the interface \(LoopbackDetour.interface)", error)
        }
    }

    /// Who else uses addresses of the detour's, in words; nil where nobody does.
    ///
    /// A route to 169.254.0.0/16 or to everything is nobody's claim to these four: many a host has one.
    mutating func userOfSubnet(but own: Int32?) throws(DetourError) -> String? {
        let linkLocalPrefixLength = 16
        let size = UInt32(1) << (32 - LoopbackDetour.prefixLength)
        let first = LoopbackDetour.nodeAddress.ipv4Number & ~(size - 1)
        // The two that are an interface's, before the subnet's own: what is said of them is clearer.
        for number in [first + 1, first + 2, first, first + size - 1] {
            let address = IPAddress(ipv4: number)
            let found = try lookUp(address)
            guard let found, found.prefixLength > linkLocalPrefixLength,
                found.interface == nil || found.interface != own
            else { continue }
            let interface = found.interface.flatMap(interfaceName) ?? "another interface"
            return found.isLocal
                ? "\(address) is an address of \(interface)"
                : "\(address)/\(found.prefixLength) is reached by \(interface)"
        }
        return nil
    }

    mutating func lookUp(_ address: IPAddress) throws(DetourError) -> RouteEntry? {
        try DetourError.attempt("look up the route to \(address)") { () throws(Errno) in
            try route(to: address.bytes)
        }
    }

    /// Both ends, in the namespace of the socket.
    mutating func makePair() throws(DetourError) {
        try DetourError.attempt("make a veth pair") { () throws(Errno) in
            // Addresses of their own choice the kernel would let udev replace, after the other end has learnt them.
            try createPair(
                VethEnd(
                    name: LoopbackDetour.interface, hardwareAddress: [2, 0] + LoopbackDetour.nodeAddress.bytes),
                VethEnd(
                    name: LoopbackDetour.helperInterface,
                    hardwareAddress: [2, 0] + LoopbackDetour.helperAddress.bytes))
            guard let link = try link(named: LoopbackDetour.interface) else { throw Errno(rawValue: ENODEV) }
            try set(alias: LoopbackDetour.alias, of: link.index)
        }
    }

    /// Gives one end its address and settings, and raises it. The thread must be in the socket's namespace: settings
    /// are the thread's.
    mutating func raise(_ interface: String, address: IPAddress, settings: [Sysctl: String]) throws {
        let files = SysctlFiles()
        let noIPv6 = LoopbackDetour.noIPv6(interface)
        for (sysctl, value) in settings.merging(
            files.read(noIPv6) == nil ? [:] : [noIPv6: "1"], uniquingKeysWith: { $1 })
        {
            do {
                try files.write(value, to: sysctl)
            } catch {
                throw SysctlError(sysctl: sysctl, value: value, errno: error)
            }
        }
        try DetourError.attempt("give \(interface) the address \(address)") { () throws(Errno) in
            guard let link = try link(named: interface) else { throw Errno(rawValue: ENODEV) }
            try add(address: address.ipv4Number, prefixLength: LoopbackDetour.prefixLength, to: link.index)
            try set(.up, true, of: link.index)
        }
    }
}

/// In the namespace of the thread.
func interfaceName(_ index: Int32) -> String? {
    var name = [CChar](repeating: 0, count: Int(IF_NAMESIZE))
    guard if_indextoname(UInt32(index), &name) != nil else { return nil }
    return String(decoding: name.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
}

extension IPAddress {
    /// Most significant first, as packets hold it.
    var bytes: [UInt8] {
        switch storage {
        case .ipv4(let number): withUnsafeBytes(of: number.bigEndian) { Array($0) }
        case .ipv6(let number): withUnsafeBytes(of: number.bigEndian) { Array($0) }
        }
    }

    /// Of what is known to be IPv4.
    fileprivate var ipv4Number: UInt32 {
        guard case .ipv4(let number) = storage else { preconditionFailure("\(self) is no IPv4 address") }
        return number
    }
}
