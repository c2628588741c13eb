import IPVSKit
import RuleKit

/// Warnings about settings by which IPVS and conntrack treat connections.
extension HostSettings {
    /// Warnings about an IPVS of the node's that balances nothing itself, since it only stands by for another host.
    func warningsOfBackup() async -> [String] {
        guard let value = setting(.backupOnly), value != "0", await isBackup() else { return [] }
        return [
            "this node balances nothing to tasks that its routes reach: IPVS runs a sync daemon as backup, and "
                + "\(Sysctl.backupOnly) is \(value)",
            SurveyText.advice("sysctl -w \(Sysctl.backupOnly)=0"),
        ]
    }

    /// Warnings about a conntrack that forgets idle connections before IPVS does. Where conntrack translates a
    /// connection, the server's next packet does not find its way back to the client then.
    func warningsOfIdleConnections() -> [String] {
        let least = PortBalancing.tcpTimeoutSeconds
        guard let seconds = setting(.idleFlows).flatMap({ UInt32($0) }), seconds < least else { return [] }
        return [
            "a TCP connection that is idle for more than \(seconds) seconds is lost if the task is the next to send: "
                + "IPVS remembers it for \(least) seconds, but conntrack, which translates it, does not "
                + "(\(Sysctl.idleFlows) is \(seconds))",
            SurveyText.advice("sysctl -w \(Sysctl.idleFlows)=\(least)"),
        ]
    }
}

extension Sysctl {
    /// Whether IPVS balances nothing while it receives connections from another host.
    static let backupOnly = Self(rawValue: "net/ipv4/vs/backup_only")
    /// How long conntrack remembers an idle established TCP connection, in seconds.
    static let idleFlows = Self(rawValue: "net/netfilter/nf_conntrack_tcp_timeout_established")
}
