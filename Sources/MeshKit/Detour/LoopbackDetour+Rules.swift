import RuleKit

extension LoopbackDetour {
    /// As the rules know it.
    static let detour = Detour(.loopback, to: helperAddress, by: interface)
}

extension DetourError {
    /// Whether the host does not let us make the detour at all, so that there is no use in trying again.
    var isOfThisHost: Bool { code != .other }
}
