import FakeKernel
import IPVSKit
import MeshKit
import SystemPackage

/// Edits the spec in a folder beside others that do: `StoreProbe STATE-DIR SERVICE COUNT` adds so many tasks to the service,
/// each by an update of its own.
@main
struct StoreProbe {
    static func main() async throws {
        let arguments = CommandLine.arguments
        guard arguments.count == 4, let count = UInt32(arguments[3]) else {
            throw InputError("StoreProbe STATE-DIR SERVICE COUNT")
        }
        let store = FileSpecStore(directory: FilePath(arguments[1]))
        for number in 1...count {
            try await store.update { spec in
                try spec.addTask(SpecTask(address: IPAddress(ipv4: 0x0A00_0000 + number)), service: arguments[2])
            }
        }
    }
}
