package import SystemPackage

/// An article of IPVSKit's documentation. Its snippets are copies of code in a test, which compiles or runs them.
package struct Article {
    private let tested: String
    /// The Swift snippets of the article.
    package let snippets: [String]

    /// - Parameters:
    ///   - name: the name of the file in the catalogue, without its extension.
    ///   - test: the file with the snippets, in a folder of `Tests`.
    package init(_ name: String, testedIn test: FilePath) throws {
        let root = test.removingLastComponent().removingLastComponent().removingLastComponent()
        tested = Self.trimmed(try test.text())
        let text = try root.appending("Sources/IPVSKit/IPVSKit.docc/\(name).md").text()
        snippets = text.split(separator: "```swift\n").dropFirst().compactMap {
            $0.split(separator: "```").first.map(String.init)
        }
    }

    /// Whether the test contains a snippet, line by line, ignoring indentation.
    package func isTested(_ snippet: String) -> Bool { tested.contains(Self.trimmed(snippet)) }

    private static func trimmed(_ text: String) -> String {
        text.split(separator: "\n").map { $0.drop { $0 == " " } }.joined(separator: "\n")
    }
}
