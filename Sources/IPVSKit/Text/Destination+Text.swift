extension Destination {
    /// The options by which `ipvsadm -Sn` writes the destination: `-r 10.0.0.11:8080 -m -w 2`. ``init(ipvsadm:)`` reads
    /// them back; ``Table/ipvsadm`` says where they differ from ipvsadm's own.
    public var ipvsadm: String { "-r \(id)\(options())" }

    /// Reads a destination from the line that adds it, in any form that ipvsadm takes.
    ///
    /// - Parameter line: the options of the destination. `-a` and the options of the service may stand before them; a
    ///   destination keeps neither.
    /// - Throws: ``TableTextError``, which says why the line is not a destination.
    public init(ipvsadm line: some StringProtocol) throws(TableTextError) {
        self = try TableText.only(line) { (line) throws(LineProblem) in
            if case .addService = line.given[.command]?.meaning {
                throw LineProblem("-A adds a service, not a destination")
            }
            return try line.destination(of: line.has(.service) ? try line.serviceID() : nil)
        }
    }

    /// The options of a destination except `-r`, each with a space before it.
    ///
    /// - Parameter thresholds: whether `-x` and `-y` are written. ipvsadm reads both options, but does not save them.
    package func options(thresholds: Bool = true) -> String {
        let method =
            switch forwarding {
            case .masquerade: "-m"
            case .tunnel: "-i"
            case .directRoute: "-g"
            default: "--forwarding \(forwarding)"
            }
        var text = " \(method) -w \(weight)"
        if forwarding == .tunnel { text += tunnel.options }
        guard thresholds else { return text }
        if upperThreshold != 0 { text += " -x \(upperThreshold)" }
        if lowerThreshold != 0 { text += " -y \(lowerThreshold)" }
        return text
    }
}

extension Destination.Tunnel {
    /// The options of a tunnel, each with a space before it. `--tun-flags` is not an option of ipvsadm's: it holds the
    /// bits for which ipvsadm has no option.
    fileprivate var options: String {
        var text = " --tun-type \(type)"
        if port != 0 || type == .gue { text += " --tun-port \(port)" }
        if flags.contains(.checksum) { text += " --tun-csum" }
        if flags.contains(.remoteChecksum) { text += " --tun-remcsum" }
        let others = flags.subtracting([.checksum, .remoteChecksum])
        if !others.isEmpty { text += " --tun-flags \(others.rawValue)" }
        if flags.isEmpty, type == .gue || type == .gre { text += " --tun-nocsum" }
        return text
    }
}

// MARK: Reading

extension OptionLine {
    private static let ofTunnel: Set<Subject> = [
        .tunnelType, .tunnelPort, .noChecksum, .checksum, .remoteChecksum, .tunnelFlags,
    ]
    private static let ofDestination = ofTunnel.union([
        .command, .service, .family, .server, .forwarding, .weight, .upperThreshold, .lowerThreshold,
    ])

    /// The destination that the line adds. An option that is missing has ipvsadm's default.
    ///
    /// - Parameter service: the service of the destination. A destination without a port gets the port of its service.
    func destination(of service: VirtualService.ID?) throws(LineProblem) -> Destination {
        try check(takesOnly: Self.ofDestination, "a destination")
        guard let server = given[.server] else { throw LineProblem("the line names no destination; use -r") }
        let (address, port) = try endpoint(server)
        var servicePort: UInt16?
        if case .address(_, let port, _) = service { servicePort = port }
        let forwarding = try forwarding()
        return Destination(
            address, port: port ?? servicePort ?? 0, weight: try number(.weight, default: 1), forwarding: forwarding,
            upperThreshold: try number(.upperThreshold, default: 0),
            lowerThreshold: try number(.lowerThreshold, default: 0), tunnel: try tunnel(forwarding))
    }

    private func forwarding() throws(LineProblem) -> Destination.ForwardingMethod {
        guard let given = given[.forwarding] else { return .directRoute }
        if case .method(let method) = given.meaning { return method }
        let argument = given.argument ?? ""
        guard let method = Destination.ForwardingMethod(argument) else {
            throw LineProblem("\(given.word) takes a forwarding method, not \(argument.debugDescription)")
        }
        return method
    }

    private func tunnel(_ forwarding: Destination.ForwardingMethod) throws(LineProblem) -> Destination.Tunnel {
        guard forwarding == .tunnel else {
            let strange = Self.ofTunnel.compactMap { given[$0]?.word }.min()
            if let strange { throw LineProblem("\(strange) is for tunnels only; use -i") }
            return .init()
        }
        var tunnel = Destination.Tunnel(port: try number(.tunnelPort, default: 0))
        if let given = given[.tunnelType], let argument = given.argument {
            guard let type = Destination.Tunnel.Kind(argument) else {
                throw LineProblem("\(given.word) takes ipip, gue, gre or a number, not \(argument.debugDescription)")
            }
            tunnel.type = type
        }
        if has(.checksum) { tunnel.flags.insert(.checksum) }
        if has(.remoteChecksum) { tunnel.flags.insert(.remoteChecksum) }
        tunnel.flags.formUnion(.init(rawValue: try number(.tunnelFlags, default: 0)))
        if has(.noChecksum), !tunnel.flags.isDisjoint(with: [.checksum, .remoteChecksum]) {
            throw LineProblem("--tun-nocsum excludes the other checksum options")
        }
        return tunnel
    }
}
