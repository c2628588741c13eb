extension Duration {
    /// Why something was not done within this time, in words that follow what was not.
    var overrun: String { "within \(components.seconds) s: perhaps another meshctl works on the same state" }
}
