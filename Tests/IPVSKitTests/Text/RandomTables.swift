import IPVSKit

extension Table {
    /// A random table of few services with arbitrary values.
    static func random(using generator: inout some RandomNumberGenerator) -> Table {
        Table(
            (0..<Int.random(in: 0..<5, using: &generator)).map { _ in
                Entry(
                    VirtualService.random(using: &generator),
                    destinations: (0..<Int.random(in: 0..<5, using: &generator)).map { _ in
                        Destination.random(using: &generator)
                    })
            })
    }
}

extension VirtualService {
    static func random(using generator: inout some RandomNumberGenerator) -> Self {
        let family: AddressFamily = Bool.random(using: &generator) ? .ipv4 : .ipv6
        let id: ID
        if Bool.random(using: &generator) {
            id = .firewallMark(FirewallMark(rawValue: .random(in: 1 ... .max, using: &generator))!, family)
        } else {
            let transport: TransportProtocol = [.tcp, .udp, .sctp, .init(rawValue: 47)].randomElement(
                using: &generator)!
            id = .address(
                .random(family, using: &generator), port: .random(in: 0 ... .max, using: &generator),
                protocol: transport)
        }
        var netmask: Persistence.Netmask?
        switch Int.random(in: 0..<3, using: &generator) {
        case 0: break
        case 1 where family == .ipv4: netmask = .mask(.random(in: 0 ... .max, using: &generator))
        default: netmask = .prefix(.random(in: family == .ipv4 ? 0...32 : 1...128, using: &generator))
        }
        return VirtualService(
            id: id, scheduler: (Scheduler.known + ["r r", "\\", "-p"]).randomElement(using: &generator)!,
            flags: Bool.random(using: &generator) ? [] : .init(rawValue: .random(in: 0 ... .max, using: &generator)),
            persistence: Bool.random(using: &generator)
                ? nil : .init(timeoutSeconds: .random(in: 0 ... .max, using: &generator), netmask: netmask),
            persistenceEngine: [nil, "sip", "a\nb"].randomElement(using: &generator)!)
    }
}

extension Destination {
    static func random(using generator: inout some RandomNumberGenerator) -> Self {
        func number() -> UInt32 {
            Bool.random(using: &generator) ? 0 : .random(in: 0 ... .max, using: &generator)
        }
        let forwarding = ForwardingMethod(rawValue: .random(in: 0...7, using: &generator))
        let type = Tunnel.Kind(rawValue: .random(in: 0...4, using: &generator))
        return Destination(
            .random(Bool.random(using: &generator) ? .ipv4 : .ipv6, using: &generator),
            port: .random(in: 0 ... .max, using: &generator), weight: number(), forwarding: forwarding,
            upperThreshold: number(), lowerThreshold: number(),
            tunnel: .init(
                type: type, port: Bool.random(using: &generator) ? 0 : .random(in: 0 ... .max, using: &generator),
                flags: .init(rawValue: .random(in: 0...7, using: &generator))))
    }
}

extension IPAddress {
    static func random(_ family: AddressFamily, using generator: inout some RandomNumberGenerator) -> Self {
        family == .ipv4
            ? .init(ipv4: .random(in: 0 ... .max, using: &generator))
            : .init(
                ipv6: .random(in: 0 ... .max, using: &generator)
                    >> UInt128(UInt8.random(in: 0...127, using: &generator)))
    }
}
