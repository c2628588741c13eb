import FakeKernel
import IPVSKit
import RuleKit
import SystemPackage
import TestSupport
import Testing

@testable import MeshKit

/// What every ``SpecStore`` promises, on each that there is.
@Suite struct SpecStoreContractTests {
    enum Kind: CaseIterable {
        case file, memory

        func with(_ body: (any SpecStore) async throws -> Void) async throws {
            switch self {
            case .memory: try await body(MemorySpecStore())
            case .file:
                try await TemporaryDirectory.with { directory in
                    // Not there yet: the first write makes it.
                    try await body(FileSpecStore(directory: directory.appending("state")))
                }
            }
        }
    }

    private static func spec(tasks: Int) throws -> MeshSpec {
        var spec = MeshSpec()
        try spec.publish(PortBinding(1080, .tcp), target: 80, service: "nginx")
        for number in 0..<tasks { try spec.addTask(Self.task(number), service: "nginx") }
        return spec
    }

    private static func task(_ number: Int) -> SpecTask {
        SpecTask(address: IPAddress(ipv4: 0x0A00_0001 + UInt32(number)), node: "node1")
    }

    @Test(arguments: Kind.allCases) func aStoreBeginsWithAnEmptyMesh(kind: Kind) async throws {
        try await kind.with { store in
            let first = try await store.load()
            #expect(first == MeshSpec())
        }
    }

    @Test(arguments: Kind.allCases) func aSwapStoresTheSpecAndCountsIt(kind: Kind) async throws {
        try await kind.with { store in
            var spec = try Self.spec(tasks: 2)
            spec.generation = 99
            try await store.swap(spec, replacing: 0)
            spec.generation = 1
            #expect(try await store.load() == spec)
            try await store.swap(MeshSpec(), replacing: 1)
            spec = MeshSpec()
            spec.generation = 2
            #expect(try await store.load() == spec)
        }
    }

    @Test(arguments: Kind.allCases) func whoHasNotReadTheNewestReplacesNothing(kind: Kind) async throws {
        try await kind.with { store in
            try await store.swap(Self.spec(tasks: 1), replacing: 0)
            try await store.swap(Self.spec(tasks: 2), replacing: 1)
            let stored = try await store.load()
            for generation: UInt64 in [0, 1, 3, .max] {
                let error = await #expect(throws: StoreError.self) {
                    try await store.swap(Self.spec(tasks: 3), replacing: generation)
                }
                #expect(error?.code == .conflict, "generation \(generation)")
                #expect(try await store.load() == stored)
            }
        }
    }

    @Test(arguments: Kind.allCases) func anUpdateReturnsWhatIsStored(kind: Kind) async throws {
        try await kind.with { store in
            let updated = try await store.update { spec in
                spec.generation = 7
                try spec.addTask(Self.task(1), service: "nginx")
            }
            #expect(updated.generation == 1, "the store counts, not the edit")
            #expect(try await store.load() == updated)
        }
    }

    @Test(arguments: Kind.allCases) func anEditThatChangesNothingWritesNothing(kind: Kind) async throws {
        try await kind.with { store in
            try await store.swap(Self.spec(tasks: 1), replacing: 0)
            let same = try await store.update { try $0.addTask(Self.task(0), service: "nginx") }
            #expect(same.generation == 1)
            await #expect(throws: InputError.self) {
                try await store.update { spec in
                    try spec.addTask(Self.task(1), service: "nginx")
                    try spec.removeService("other")
                }
            }
            #expect(try await store.load() == same)
        }
    }

    @Test(arguments: Kind.allCases) func updatesOfManyTasksAllHappen(kind: Kind) async throws {
        try await kind.with { store in
            try await withThrowingTaskGroup(of: Void.self) { group in
                for number in 0..<20 {
                    group.addTask {
                        try await store.update { try $0.addTask(Self.task(number), service: "nginx") }
                    }
                }
                try await group.waitForAll()
            }
            let spec = try await store.load()
            #expect(spec.services["nginx"]?.tasks == (0..<20).map(Self.task))
            #expect(spec.generation == 20)
        }
    }

    @Test(arguments: Kind.allCases) func anUpdateThatAlwaysLosesEnds(kind: Kind) async throws {
        try await kind.with { store in
            var edits = 0
            let error = await #expect(throws: StoreError.self) {
                try await store.update { spec in
                    edits += 1
                    try spec.addTask(Self.task(0), service: "loser")
                    let number = edits
                    try await store.update { try $0.addTask(Self.task(number), service: "winner") }
                }
            }
            #expect(error?.code == .conflict)
            let spec = try await store.load()
            #expect(edits > 1 && spec.services["winner"]?.tasks.count == edits && spec.services["loser"] == nil)
        }
    }

    /// What tests of passes need: a store that fails when it is told to, and is as it was.
    @Test func aStoreInMemoryFailsWhereItIsTold() async throws {
        struct Failure: Error {}
        let store = MemorySpecStore(beforeOperation: { if $0 == 2 { throw Failure() } })
        await #expect(throws: Failure.self) { try await store.update { try $0.addTask(Self.task(0), service: "a") } }
        #expect(try await store.load() == MeshSpec())
        #expect(store.operations == 3)
    }
}
