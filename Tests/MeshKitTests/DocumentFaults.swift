import SystemPackage
import TestSupport
import Testing

@testable import MeshKit

/// What every document does with a file that it must not replace.
enum DocumentFaults {
    /// The file cut off at every seventh byte: each time the load and the write are refused as `corrupt`, and the file is
    /// kept.
    static func expectTruncatedIsKept(
        _ file: FilePath, load: () async throws -> Void, write: () async throws -> Void
    ) async throws {
        let whole = try file.text()
        // The last byte is the newline, without which it is whole all the same.
        for length in stride(from: 0, to: whole.utf8.count - 1, by: 7) {
            let cut = String(decoding: whole.utf8.prefix(length), as: UTF8.self)
            try file.write(cut)
            try await expectIsKept(file, .corrupt, load: load, write: write)
        }
    }

    /// The load and the write are refused for a reason, which names the file; and the file is kept.
    static func expectIsKept(
        _ file: FilePath, _ code: StoreError.Code, load: () async throws -> Void, write: () async throws -> Void
    ) async throws {
        let text = try file.text()
        let loading = await #expect(throws: StoreError.self) { try await load() }
        let writing = await #expect(throws: StoreError.self) { try await write() }
        for error in [loading, writing] {
            #expect(error?.code == code, "\(String(describing: error)) for \(text)")
            #expect(error?.description.contains(file.string) == true)
        }
        #expect(try file.text() == text)
    }
}
