import IPVSKit
import Netlink

/// The nftables tables of all programs, for the survey of the other rules that a packet meets.
package enum NFTablesRuleset {
    /// The output of `nft --json --terse --stateless list ruleset FAMILY` in the namespace of the process. It contains
    /// no elements of named sets.
    ///
    /// A whole family is listed: when libnftables 1.0.6 lists one table or chain, it reads all elements of its sets,
    /// even if it does not print them.
    package static func json(_ family: String) async throws(RuleError) -> String {
        try await NFTablesBackend().run("read the nftables rules") { () throws(RuleError) in
            try NFTablesLibrary.run("list ruleset \(family)", asJSON: true, operation: "read the nftables rules")
        }
    }
}
