import IPVSContract
import IPVSKit
import TestSupport
import Testing

extension KernelTests {
    /// The contract on the kernel; `IPVSKitTestingTests` runs it on the fake.
    @Suite struct IPVSContractTests {
        @Test(arguments: IPVSContract.all) func holdsOnTheKernel(clause: IPVSContract.Clause) async throws {
            try await Topology.with { topology in
                let near = try await topology.namespace("ipvs")
                if clause.takesInterface {
                    let far = try await topology.namespace("far")
                    _ = try await topology.link(near, far, number: 1)
                }
                let ipvs = try IPVS(in: .named(near.name), deadline: .seconds(clause.takesInterface ? 60 : 30))
                try await clause.body(.init(ipvs, interface: "v1", soak: .seconds(10)))
            }
        }
    }
}
