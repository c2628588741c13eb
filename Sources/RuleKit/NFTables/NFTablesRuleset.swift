/// Everybody's tables of nftables, for who has to know what other rules a packet meets.
///
/// Works in the namespace of the calling thread.
package enum NFTablesRuleset {
    /// What `nft --json --terse --stateless list ruleset FAMILY` prints: no element of a set that has a name.
    ///
    /// Only all of a family can be had so: listing one table or one chain, libnftables 1.0.6 reads all elements of the
    /// sets in it, even where it is not to print them.
    package static func json(_ family: String) throws(RuleError) -> String {
        try NFTablesLibrary.run("list ruleset \(family)", asJSON: true, operation: "read the nftables rules")
    }
}
