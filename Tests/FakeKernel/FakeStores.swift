package import MeshKit
import Netlink
package import SystemPackage

/// A spec in memory whose writes pass the gate.
package struct FakeSpecStore: SpecStore {
    private let store: MemorySpecStore
    private let gate: Gate

    package init(_ spec: MeshSpec = MeshSpec(), gate: Gate) {
        store = MemorySpecStore(spec)
        self.gate = gate
    }

    /// Loses the spec, as if somebody had deleted its document.
    package func lose() { store.lose() }

    package func load() async throws -> MeshSpec {
        try gate.look()
        return try await store.load()
    }

    package func swap(_ spec: MeshSpec, replacing generation: UInt64) async throws {
        if let errno = try gate.refusal(of: "swap the spec") { throw StoreError(errno) }
        try await store.swap(spec, replacing: generation)
    }
}

/// A ledger in memory whose writes pass the gate. Nobody holds anybody off.
package final class FakeLedgerStore: LedgerStore {
    private let ledger = Locked<Ledger?>(nil)
    private let gate: Gate

    package init(gate: Gate, folder: String = "/var/lib/meshctl") {
        self.gate = gate
        self.folder = folder
    }

    package var file: FilePath { "ledger in memory" }
    package let folder: String

    package func load() throws(StoreError) -> Ledger? {
        guard !gate.isDead else { throw StoreError(.ioError) }
        return ledger.withLock(\.self)
    }

    package func save(_ new: Ledger, replacing generation: UInt64) throws(StoreError) {
        let refusal: Errno?
        do { refusal = try gate.refusal(of: "save the ledger") } catch { throw StoreError(.ioError) }
        if let refusal { throw StoreError(refusal) }
        let isNewest = ledger.withLock { ledger in
            guard (ledger?.generation ?? 0) == generation else { return false }
            ledger = new
            ledger?.generation = generation + 1
            return true
        }
        guard isNewest else { throw StoreError(code: .conflict, description: "somebody else saved the ledger") }
    }

    package func locked<Result: Sendable>(
        _ mode: LockFile.Mode, onWait: () -> Void, _ body: () async throws -> Result
    ) async throws -> Result { try await body() }
}

extension StoreError {
    fileprivate init(_ errno: Errno) {
        self.init(code: .inaccessible, description: "cannot write the document: \(errno)")
    }
}
