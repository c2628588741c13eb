@testable import MeshKit

/// Sets whose contents a test chooses.
struct SetsOfTest: SetReader {
    var types: [String: String] = [:]
    let contents: @Sendable (NamedSet, [SetQuestion.Part]) -> SetAnswers.Answer?

    func type(of name: String) async -> String? { types[name] }

    func look(_ key: [SetQuestion.Part], in set: NamedSet) async -> SetAnswers.Answer? { contents(set, key) }
}
