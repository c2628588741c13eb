import FakeKernel
import Testing

@testable import MeshKit

@Suite struct KernelContractTests {
    /// The same is checked on the real kernel (`KernelTests/MeshKernelTests`).
    @Test func theFakeKernelBehaves() async throws {
        var contract = KernelContract(FakeKernel(), tools: RuleTool.allCases)
        try await contract.check()
        #expect(contract.faults == [])
    }
}
