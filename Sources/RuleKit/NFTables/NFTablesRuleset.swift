/// The nftables tables of all programs, for the survey of the other rules that a packet meets.
///
/// Works in the namespace of the calling thread.
package enum NFTablesRuleset {
    /// The output of `nft --json --terse --stateless list ruleset FAMILY`, which contains no elements of named sets.
    ///
    /// A whole family is listed: when libnftables 1.0.6 lists one table or chain, it reads all elements of its sets,
    /// even if it does not print them.
    package static func json(_ family: String) throws(RuleError) -> String {
        try NFTablesLibrary.run("list ruleset \(family)", asJSON: true, operation: "read the nftables rules")
    }
}
