import TestSupport
import Testing

/// The arguments that the examples refuse before they ask a kernel.
@Suite struct ExampleTests {
    @Test(
        arguments: [
            ["10.0.0.1"], ["10.0.0", "80"], ["10.0.0.1", "80", "10.0.0.11"], ["10.0.0.1", "80", "10.0.0.11:8080x"],
            ["10.0.0.1", "80", "10.0.0.11:8080", "10.0.0.1:"],
        ])
    func balancePortTakesNothingThatIsMistyped(arguments: [String]) async throws {
        let ran = try await Shell.run([try BuiltProducts.path("balance-port")] + arguments)
        #expect(ran.output.hasPrefix("usage: balance-port"), "\(ran)")
    }
}
