import FakeKernel
import IPVSKit
import MeshKit
import TestSupport
import Testing

extension KernelTests {
    @Suite struct MeshKernelTests {
        /// The same is checked on the fake (`MeshKitTests/KernelContractTests`).
        @Test(arguments: RuleTool.tested) func theKernelBehaves(tool: RuleTool) async throws {
            try await Topology.with { topology in
                let kernel = try LiveKernel(ipvs: try IPVS(), cache: topology.directory)
                var contract = KernelContract(kernel, tools: [tool])
                try await contract.check()
                #expect(contract.faults == [])
            }
        }
    }
}
