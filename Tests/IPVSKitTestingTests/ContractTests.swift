import IPVSContract
import IPVSKit
import IPVSKitTesting
import Testing

/// The contract on the fake. `KernelTests` runs it on the kernel.
@Suite(.timeLimit(.minutes(5))) struct ContractTests {
    @Test(arguments: IPVSContract.all) func holdsOnTheFake(clause: IPVSContract.Clause) async throws {
        let fake = FakeIPVS(interfaces: ["v1"])
        try await clause.body(.init(fake.client, interface: "v1", soak: .seconds(2)))
    }

    @Test func theTextIsIpvsadms() async throws {
        let fake = FakeIPVS()
        try await fake.client.perform(Table.changes(from: Table(), to: IPVSContract.table)).get()
        #expect(Set(fake.description.split(separator: "\n").map(String.init)) == IPVSContract.savedTable)
    }
}
