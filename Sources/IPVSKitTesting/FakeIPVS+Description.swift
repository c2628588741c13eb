import CNetlink
import IPVSKit

extension FakeIPVS.State {
    /// As `ipvsadm -Sn` writes it.
    var saved: String {
        var lines: [String] = []
        for (id, entry) in sortedServices {
            let service = entry.specification.value(id)
            lines.append("-A \(Self.option(id)) -s \(service.scheduler)" + Self.options(service))
            for status in entry.sortedDestinations {
                lines.append("-a \(Self.option(id)) -r \(status.id)" + Self.options(status.destination))
            }
        }
        return lines.joined(separator: "\n")
    }

    private static func option(_ id: VirtualService.ID) -> String {
        switch id {
        case .firewallMark(let mark, let family): "-f \(mark.rawValue)" + (family == .ipv6 ? " -6" : "")
        case .address(let address, let port, .tcp): "-t \(Destination.ID(address, port: port))"
        case .address(let address, let port, .udp): "-u \(Destination.ID(address, port: port))"
        case .address(let address, let port, let transport):
            "--\(transport)-service \(Destination.ID(address, port: port))"
        }
    }

    private static func options(_ service: VirtualService) -> String {
        var text = ""
        if let persistence = service.persistence {
            text += " -p \(persistence.timeoutSeconds)"
            if let netmask = persistence.netmask {
                let dotted = service.id.family == .ipv4 ? netmask.mask.map { IPAddress(ipv4: $0).description } : nil
                text += " -M \(dotted ?? netmask.description)"
            }
        }
        if let engine = service.persistenceEngine { text += " --pe \(engine)" }
        if service.flags.contains(.onePacket) { text += " -o" }
        let hashes: Set<Scheduler> = [.sourceHashing, .maglevHashing]
        let names =
            hashes.contains(service.scheduler)
            ? ["\(service.scheduler)-fallback", "\(service.scheduler)-port", "flag-3"] : ["flag-1", "flag-2", "flag-3"]
        let bits = [IP_VS_SVC_F_SCHED1, IP_VS_SVC_F_SCHED2, IP_VS_SVC_F_SCHED3].map { UInt32($0) }
        let set = zip(names, bits).filter { service.flags.rawValue & $0.1 != 0 }.map(\.0)
        return text + (set.isEmpty ? "" : " -b " + set.joined(separator: ","))
    }

    private static func options(_ destination: Destination) -> String {
        let method =
            switch destination.forwarding {
            case .masquerade: " -m"
            case .tunnel: " -i"
            case .directRoute: " -g"
            default: ""
            }
        let text = "\(method) -w \(destination.weight)"
        guard destination.forwarding == .tunnel else { return text }
        let checksum =
            switch destination.tunnel.flags {
            case .checksum: " --tun-csum"
            case .remoteChecksum: " --tun-remcsum"
            default: " --tun-nocsum"
            }
        return switch destination.tunnel.type {
        case .ipip: text + " --tun-type ipip"
        case .gue: text + " --tun-type gue --tun-port \(destination.tunnel.port)" + checksum
        case .gre: text + " --tun-type gre" + checksum
        default: text
        }
    }
}
