import RuleKit

extension PlaceKernel {
    /// Whose the rules of a tool say they are. Nil where there are none, where they do not say, and where the host or its
    /// kernel does not have the tool.
    func owner(by tool: RuleTool) async throws(RuleError) -> RuleOwner? {
        do throws(RuleError) {
            return try await rules(by: tool).owner()
        } catch  where error.code == .toolMissing || error.code == .kernelLacksSupport {
            return nil
        }
    }
}
