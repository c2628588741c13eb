import Testing

@testable import MeshKit

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// Edits counted by node, and what two such counts say of each other.
@Suite struct EditVectorTests {
    @Test func vectors() {
        var vector = EditVector(["a": 2, "b": 0])
        #expect(vector == EditVector(["a": 2]) && !vector.isEmpty && EditVector().isEmpty)
        vector.count(on: "a")
        vector.count(on: "c")
        #expect(vector.counts == ["a": 3, "c": 1])
        let other = EditVector(["a": 1, "b": 4])
        #expect(vector.joined(with: other).counts == ["a": 3, "b": 4, "c": 1])
        #expect(other.joined(with: vector) == vector.joined(with: other))
        #expect(vector.excess(over: other).counts == ["a": 2, "c": 1])
        #expect(other.excess(over: vector).counts == ["b": 4] && other.excess(over: other).isEmpty)
        #expect(vector.excess(over: other).words == "2 edits on a and 1 edit on c")
    }

    @Test(
        arguments: [
            // The generation and the edits of the file and of the mesh.
            (8, ["a": 5, "b": 3], 8, ["a": 5, "b": 3], .same), (9, ["a": 6, "b": 3], 8, ["a": 5, "b": 3], .newer),
            (8, ["a": 5], 8, ["a": 5, "b": 3], .older), (10, ["a": 7, "b": 3], 9, ["a": 5, "b": 4], .apart),
            (8, ["a": 1], 9, ["b": 1], .apart), (8, ["a": 1, "b": 1], 8, ["b": 1], .newer),
            // Without a vector on either side.
            (8, [:], 8, [:], .same), (9, [:], 8, ["a": 5], .newer), (8, ["a": 5], 8, [:], .same),
            (7, [:], 8, ["a": 5], .older), (7, ["a": 5], 8, [:], .older), (1, ["a": 1], 0, [:], .newer),
            // Generations that do not fit the edits.
            (9, ["a": 5], 8, ["a": 5], .newer), (7, ["a": 5], 8, ["a": 5], .older),
            (7, ["a": 6], 8, ["a": 5], .older), (9, ["a": 4], 8, ["a": 5], .older),
        ] as [(UInt64, [String: UInt64], UInt64, [String: UInt64], MeshVersion.Order)])
    func theOrder(
        generation: UInt64, edits: [String: UInt64], presentGeneration: UInt64, presentEdits: [String: UInt64],
        order: MeshVersion.Order
    ) {
        let file = MeshVersion(generation: generation, edits: EditVector(edits))
        let present = MeshVersion(generation: presentGeneration, edits: EditVector(presentEdits))
        #expect(file.order(against: present) == order)
    }

    @Test func theDocument() throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        let vector = EditVector(["b": 3, "a": 1 << 53])
        let text = #"{"a":9007199254740992,"b":3}"#
        #expect(String(decoding: try encoder.encode(vector), as: UTF8.self) == text)
        let decoder = JSONDecoder()
        #expect(try decoder.decode(EditVector.self, from: Data(text.utf8)) == vector)
        #expect(try decoder.decode(EditVector.self, from: Data(#"{"a":0}"#.utf8)).isEmpty)
        for damaged in [#"{"a":9007199254740993}"#, #"{"a":-1}"#, "[1]", #"{"a":"1"}"#] {
            #expect(throws: DecodingError.self, "\(damaged)") {
                try decoder.decode(EditVector.self, from: Data(damaged.utf8))
            }
        }
    }
}
