import Testing

@testable import MeshKit

/// Expects a refusal whose message contains these words, and which leaves the spec as it was.
func expectRefusal(
    _ spec: MeshSpec, _ words: String..., sourceLocation: SourceLocation = #_sourceLocation,
    by edit: (inout MeshSpec) throws -> Void
) {
    var edited = spec
    let error = #expect(throws: InputError.self, sourceLocation: sourceLocation) { try edit(&edited) }
    for words in words {
        #expect(
            error?.description.contains(words) == true, "\(String(describing: error))", sourceLocation: sourceLocation)
    }
    #expect(edited == spec, sourceLocation: sourceLocation)
}
