extension SyncDaemon {
    var objection: String? { Rules.objection(to: self, Self.rules) }

    private static let rules: [Rule<Self>] = [
        { Rules.objection(toName: $0.interface, "an interface's name", limit: 15) },
        { daemon in
            // The kernel replaces a length outside these limits by the nearest limit.
            guard let length = daemon.maximumLength, length != 0 else { return nil }
            let (least, most): (UInt16, UInt16) = (
                daemon.role == .backup ? 1024 : 1, daemon.group?.family == .ipv6 ? 65487 : 65507
            )
            return (least...most).contains(length)
                ? nil : "the largest payload of a \(daemon.role) is \(least) to \(most) bytes, or 0 for the default"
        },
    ]
}

extension Timeouts {
    var objection: String? { Rules.objection(to: self, Self.rules) }

    private static let rules: [Rule<Self>] = [
        { timeouts in
            [timeouts.tcpSeconds, timeouts.tcpFinSeconds, timeouts.udpSeconds].contains(0)
                ? "the kernel leaves a timeout of 0 as it is: use nil for that" : nil
        }
    ]
}
