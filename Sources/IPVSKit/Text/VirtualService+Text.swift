import CNetlink

extension VirtualService {
    /// The line by which `ipvsadm -Sn` writes the service: `-A -t 192.168.5.1:80 -s wrr -p 300`. ``init(ipvsadm:)`` reads
    /// it back; ``Table/ipvsadm`` says where it differs from ipvsadm's own.
    public var ipvsadm: String { "-A \(id.option)\(options)" }

    /// Reads a service from the line that creates it, in any form that ipvsadm takes.
    ///
    /// - Parameter line: the options of the service, with or without `-A`.
    /// - Throws: ``TableTextError``, which says why the line is not a service.
    public init(ipvsadm line: some StringProtocol) throws(TableTextError) {
        self = try TableText.only(line) { (line) throws(LineProblem) in
            if case .addServer = line.given[.command]?.meaning {
                throw LineProblem("-a adds a destination, not a service")
            }
            return try line.service()
        }
    }

    /// The options of a service except those of its id, each with a space before it.
    package var options: String {
        var text = " -s \(OptionLine.written(name: scheduler.rawValue))"
        if let persistence {
            text += " -p \(persistence.timeoutSeconds)"
            if let netmask = persistence.netmask { text += " -M \(netmask.text(id.family))" }
        }
        if let persistenceEngine { text += " --pe \(OptionLine.written(name: persistenceEngine))" }
        if flags.contains(.onePacket) { text += " -o" }
        let names = flags.schedulerNames(scheduler)
        return names.isEmpty ? text : text + " -b " + names.joined(separator: ",")
    }
}

extension VirtualService.Persistence.Netmask {
    /// A netmask as ipvsadm writes it: in the dotted form for IPv4, and as the length of a prefix for IPv6.
    func text(_ family: AddressFamily) -> String {
        (family == .ipv4 ? mask.map { IPAddress(ipv4: $0).description } : nil) ?? description
    }
}

extension VirtualService.ID {
    /// The option by which ipvsadm names the service: `-t 192.168.5.1:80`, `-f 258 -6`.
    package var option: String {
        switch self {
        case .firewallMark(let mark, .ipv4): "-f \(mark.rawValue)"
        case .firewallMark(let mark, .ipv6): "-f \(mark.rawValue) -6"
        case .address(let address, let port, .tcp): "-t \(Destination.ID(address, port: port))"
        case .address(let address, let port, .udp): "-u \(Destination.ID(address, port: port))"
        case .address(let address, let port, let transport):
            "--\(transport)-service \(Destination.ID(address, port: port))"
        }
    }
}

extension VirtualService.Flags {
    private static let firstOfScheduler = UInt32(IP_VS_SVC_F_SCHED1)

    /// The names of the first two flags of a scheduler: only sh and mh give theirs names.
    private static func names(_ scheduler: Scheduler) -> [String] {
        switch scheduler {
        case .sourceHashing, .maglevHashing: ["\(scheduler)-fallback", "\(scheduler)-port"]
        default: []
        }
    }

    /// The flags of the scheduler by ipvsadm's names: `sh-fallback`, or `flag-1` and so on for a flag that the scheduler
    /// does not name. ipvsadm's names end with `flag-3`; a newer kernel may have more flags.
    func schedulerNames(_ scheduler: Scheduler) -> [String] {
        let names = Self.names(scheduler)
        return (0..<rawValue.bitWidth).compactMap { index in
            let bit = Self.firstOfScheduler << UInt32(index)
            guard bit != 0, rawValue & bit != 0 else { return nil }
            return index < names.count ? names[index] : "flag-\(index + 1)"
        }
    }

    fileprivate init?(schedulerName name: Substring, _ scheduler: Scheduler) {
        let index: Int
        if let known = Self.names(scheduler).firstIndex(of: String(name)) {
            index = known
        } else {
            guard name.hasPrefix("flag-"), let number = UInt8(decimal: name.dropFirst(5).utf8), number > 0 else {
                return nil
            }
            index = Int(number) - 1
        }
        // A shift by more bits than the number has leaves 0, which is refused below.
        self.init(rawValue: Self.firstOfScheduler << UInt32(index))
        if isEmpty { return nil }
    }
}

// MARK: Reading

extension OptionLine {
    private static let ofService: Set<Subject> = [
        .command, .service, .family, .scheduler, .persistence, .netmask, .engine, .onePacket, .schedulerFlags,
    ]

    /// The service that the line creates. An option that is missing has ipvsadm's default.
    func service() throws(LineProblem) -> VirtualService {
        try check(takesOnly: Self.ofService, "a service")
        let id = try serviceID()
        let scheduler = try name(.scheduler).map(Scheduler.init(rawValue:)) ?? .weightedLeastConnection
        return VirtualService(
            id: id, scheduler: scheduler, flags: try flags(scheduler), persistence: try persistence(id.family),
            persistenceEngine: try name(.engine))
    }

    func serviceID() throws(LineProblem) -> VirtualService.ID {
        guard let given = given[.service], let meaning = given.meaning, let argument = given.argument else {
            throw LineProblem("the line names no service; use -t, -u, --sctp-service or -f")
        }
        guard case .address(let transport) = meaning else {
            // ipvsadm takes marks of 32 bits, and prints those above 2147483647 as negative numbers.
            let number = UInt32(decimal: argument.utf8) ?? Int32(argument).map { UInt32(bitPattern: $0) }
            guard let mark = number.flatMap(FirewallMark.init(rawValue:)) else {
                throw LineProblem("\(given.word) takes a mark from 1 to 4294967295, not \(argument.debugDescription)")
            }
            return .firewallMark(mark, has(.family) ? .ipv6 : .ipv4)
        }
        if let family = self.given[.family] { throw LineProblem("\(family.word) is for firewall marks only") }
        let (address, port) = try endpoint(given)
        return .address(address, port: port ?? 0, protocol: transport)
    }

    private func persistence(_ family: AddressFamily) throws(LineProblem) -> VirtualService.Persistence? {
        let netmask = try netmask(family)
        guard has(.persistence) else {
            if let given = given[.netmask] { throw LineProblem("\(given.word) has no effect without -p") }
            return nil
        }
        // 360 seconds is ipvsadm's default for `-p` without a number.
        return .init(timeoutSeconds: try number(.persistence, default: 360), netmask: netmask)
    }

    private func netmask(_ family: AddressFamily) throws(LineProblem) -> VirtualService.Persistence.Netmask? {
        guard let given = given[.netmask], let argument = given.argument else { return nil }
        switch family {
        case .ipv4:
            let address: IPAddress? = .init(argument)
            if let mask = address?.ipv4 { return .mask(mask) }
            throw LineProblem("\(given.word) takes a mask such as 255.255.255.0, not \(argument.debugDescription)")
        case .ipv6: return .prefix(try number(.netmask, default: 128, range: 1...128))
        }
    }

    private func flags(_ scheduler: Scheduler) throws(LineProblem) -> VirtualService.Flags {
        var flags: VirtualService.Flags = has(.onePacket) ? .onePacket : []
        guard let given = given[.schedulerFlags], let argument = given.argument else { return flags }
        for name in argument.split(separator: ",") {
            guard let flag = VirtualService.Flags(schedulerName: name, scheduler) else {
                throw LineProblem("scheduler \(scheduler) has no flag \(name.debugDescription)")
            }
            flags.formUnion(flag)
        }
        return flags
    }

    /// Reads an address, with a port or without.
    func endpoint(_ given: Given) throws(LineProblem) -> (IPAddress, port: UInt16?) {
        let argument = given.argument ?? ""
        if let endpoint = Destination.ID(argument) { return (endpoint.address, endpoint.port) }
        let address: IPAddress? = .init(argument)
        if let address { return (address, nil) }
        throw LineProblem(
            "\(given.word) takes an address and a port in numbers, as `ipvsadm -Sn` prints them, "
                + "not \(argument.debugDescription)")
    }
}
