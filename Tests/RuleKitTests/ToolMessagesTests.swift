import Testing

@testable import RuleKit

/// Messages that the tools printed when they were tried, and the codes that we derive from them. To support a new
/// version, add its messages.
@Suite struct ToolMessagesTests {
    struct Captured: Sendable, CustomStringConvertible {
        var tool: ToolMessages.Tool
        /// The version of the tool, and why it failed.
        var description: String
        var text: String
        var code: RuleError.Code
        var isWithoutTables = false
    }

    static let captured: [Captured] = [
        // iptables 1.8.9, nft variant, Linux 6.12
        Captured(
            tool: .iptablesNFT, description: "1.8.9: no root",
            text: "iptables-nft-save v1.8.9 (nf_tables): Could not fetch rule set generation id: "
                + "Permission denied (you must be root)",
            code: .notPermitted, isWithoutTables: true),
        Captured(
            tool: .iptablesNFT, description: "1.8.9: no nfnetlink",
            text: "iptables-nft-save/1.8.9 (nf_tables) Failed to initialize nft: Protocol not supported",
            code: .kernelLacksSupport, isWithoutTables: true),
        Captured(
            tool: .iptablesNFT, description: "1.8.9: no nf_tables",
            text: "iptables-nft-restore v1.8.9 (nf_tables): Could not fetch rule set generation id: Invalid argument",
            code: .kernelLacksSupport, isWithoutTables: true),
        Captured(
            tool: .iptablesNFT, description: "1.8.9: no such match",
            text: """
                iptables-nft-restore v1.8.9 (nf_tables): Couldn't load match `nosuch':No such file or directory

                Error occurred at line: 2
                Try `iptables-nft-restore -h' or 'iptables-nft-restore --help' for more information.
                """, code: .kernelLacksSupport),
        Captured(
            tool: .iptablesNFT, description: "1.8.9: no xt_ipvs",
            text: """
                Warning: Extension ipvs revision 0 not supported, missing kernel module?
                iptables-nft-restore v1.8.9 (nf_tables):\u{20}
                line 2: RULE_APPEND failed (No such file or directory): rule in chain PREROUTING
                """, code: .kernelLacksSupport),
        Captured(
            tool: .iptablesNFT, description: "1.8.9: no such chain",
            text: "iptables-nft-restore v1.8.9 (nf_tables): Chain 'NOSUCH' does not exist", code: .kernelLacksSupport),
        Captured(
            tool: .iptablesNFT, description: "1.8.9: no such set",
            text: """
                iptables-nft-restore v1.8.9 (nf_tables): Set nosuch doesn't exist.

                Error occurred at line: 2
                Try `iptables-nft-restore -h' or 'iptables-nft-restore --help' for more information.
                """, code: .refused),
        // iptables 1.8.9, legacy variant, Linux 6.12
        Captured(
            tool: .iptablesLegacy, description: "1.8.9: no root",
            text: "Failed to list table names in /proc/net/ip_tables_names: Permission denied", code: .notPermitted),
        Captured(
            tool: .iptablesLegacy, description: "1.8.9: no root, to write",
            text: "Fatal: can't open lock file /run/xtables.lock: Permission denied", code: .notPermitted),
        Captured(
            tool: .iptablesLegacy, description: "1.8.9: no ip_tables",
            text: "iptables-save v1.8.9 (legacy): Cannot initialize: iptables who? (do you need to insmod?)",
            code: .kernelLacksSupport, isWithoutTables: true),
        Captured(
            tool: .iptablesLegacy, description: "1.8.9: no iptable_mangle",
            text: """
                iptables-restore v1.8.9 (legacy): iptables-restore: unable to initialize table 'mangle'
                Error occurred at line: 1
                """, code: .kernelLacksSupport, isWithoutTables: true),
        Captured(
            tool: .iptablesLegacy, description: "1.8.9: no such match",
            text: "iptables-restore v1.8.9 (legacy): Couldn't load match `nosuch':No such file or directory",
            code: .kernelLacksSupport),
        Captured(
            tool: .iptablesLegacy, description: "1.8.9: no such set",
            text: "iptables-restore v1.8.9 (legacy): Set nosuch doesn't exist.", code: .refused),
        // libnftables 1.0.6
        Captured(
            tool: .libnftables, description: "1.0.6: no root",
            text: "netlink: Error: cache initialization failed: Operation not permitted", code: .notPermitted),
        Captured(
            tool: .libnftables, description: "1.0.6: no such table",
            text: "Error: Could not process rule: No such file or directory\nadd rule inet nosuch x accept",
            code: .kernelLacksSupport),
        // libipset 7.17
        Captured(
            tool: .libipset, description: "7.17: no root", text: "Kernel error received: Operation not permitted",
            code: .notPermitted),
        Captured(
            tool: .libipset, description: "7.17: no nfnetlink", text: "Cannot open session to kernel.",
            code: .kernelLacksSupport),
        Captured(
            tool: .libipset, description: "7.17: no such set", text: "The set with the given name does not exist",
            code: .refused),
        Captured(
            tool: .libipset, description: "ours: no descriptor",
            text: "Cannot open a netfilter socket: Too many open files", code: .refused),
        // util-linux 2.38.1
        Captured(
            tool: .nsenter, description: "2.38.1: no such program",
            text: "nsenter: failed to execute iptables-save: No such file or directory", code: .toolMissing),
    ]

    @Test(arguments: captured) func whatIsPrintedIsUnderstood(captured: Captured) {
        #expect(ToolMessages.code(of: captured.text, from: captured.tool) == captured.code)
        #expect(
            ToolMessages.saysThatThereAreNoTables(captured.text, from: captured.tool) == captured.isWithoutTables)
    }

    /// Messages are in English, whatever language the user has set.
    @Test func programsSpeakEnglish() async throws {
        let said = try await IPTablesTool.run(
            "sh", ["-c", "echo \"$LC_ALL\""], in: nil, deadline: .seconds(10), operation: "look at the environment")
        #expect(said == "C\n")
        // By its path as by its name.
        let shell = HostProgram(["/bin/sh", "-c", "echo \"$LC_ALL\""])
        #expect(try await shell.run(deadline: .seconds(10), "look at the environment")?.output == "C\n")
    }
}
