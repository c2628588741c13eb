extension VirtualService: CustomStringConvertible {
    /// The service as `ipvsadm -Ln` lists it: `FWM 258 rr`,
    /// `TCP 10.0.0.1:80 mh (mh-fallback,mh-port) persistent 300 mask 255.255.255.0`. For a text that can be read back see
    /// ``ipvsadm``.
    public var description: String {
        var text = "\(id) \(OptionLine.written(name: scheduler.rawValue))"
        let names = flags.schedulerNames(scheduler)
        if !names.isEmpty { text += " (\(names.joined(separator: ",")))" }
        if let persistence {
            text += " persistent \(persistence.timeoutSeconds)"
            if let netmask = persistence.netmask { text += " mask \(netmask.text(id.family))" }
        }
        if let persistenceEngine { text += " pe \(OptionLine.written(name: persistenceEngine))" }
        return flags.contains(.onePacket) ? text + " ops" : text
    }
}

extension Destination: CustomStringConvertible {
    /// The destination as `ipvsadm -Ln` lists it, with its weight at the end: `-> 10.255.0.7:80 Masq 3`. A tunnel other
    /// than plain IPIP and thresholds other than 0 follow: `-> 10.255.0.7:80 Tunnel 1 gue port 6080`,
    /// `-> 10.255.0.7:80 Masq 3 upper 100 lower 50`. For a text that can be read back see ``ipvsadm``.
    public var description: String {
        var text = "-> \(id) \(forwarding) \(weight)"
        if forwarding == .tunnel, tunnel != Tunnel() { text += " \(tunnel)" }
        if upperThreshold != 0 { text += " upper \(upperThreshold)" }
        if lowerThreshold != 0 { text += " lower \(lowerThreshold)" }
        return text
    }
}

extension Destination.Tunnel: CustomStringConvertible {
    /// The type, the port where there is one, and the flags by name: `ipip`, `gue port 6080 remoteChecksum`.
    public var description: String {
        (["\(type)"] + (port == 0 ? [] : ["port \(port)"]) + flags.flagNames).joined(separator: " ")
    }
}

extension Table: CustomStringConvertible {
    /// The table as `ipvsadm -Ln` lists it, without the heading: the line of each service, followed by the lines of its
    /// destinations, both in the order of their ids. For a text that can be read back see ``ipvsadm``.
    public var description: String {
        entries.values.sorted { $0.service.id < $1.service.id }.map(\.description).joined(separator: "\n")
    }
}

extension Table.Entry: CustomStringConvertible {
    /// The line of the service, followed by the lines of its destinations in the order of their ids; see
    /// ``Table/description``.
    public var description: String {
        let lines = destinations.values.sorted { $0.id < $1.id }.map { "  \($0)" }
        return (["\(service)"] + lines).joined(separator: "\n")
    }
}
