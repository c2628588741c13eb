package import SystemPackage

/// An article of IPVSKit's documentation, whose snippets stand in a test, too, where they are compiled or run.
package struct Article {
    private let tested: String
    /// What it shows in Swift.
    package let snippets: [String]

    /// - Parameters:
    ///   - name: of the file in the catalogue, without its ending.
    ///   - test: the file that has the snippets, in a folder of `Tests`.
    package init(_ name: String, testedIn test: FilePath) throws {
        let root = test.removingLastComponent().removingLastComponent().removingLastComponent()
        tested = Self.trimmed(try test.text())
        let text = try root.appending("Sources/IPVSKit/IPVSKit.docc/\(name).md").text()
        snippets = text.split(separator: "```swift\n").dropFirst().compactMap {
            $0.split(separator: "```").first.map(String.init)
        }
    }

    /// Whether the test has a snippet: line by line, but for the indentation.
    package func isTested(_ snippet: String) -> Bool { tested.contains(Self.trimmed(snippet)) }

    private static func trimmed(_ text: String) -> String {
        text.split(separator: "\n").map { $0.drop { $0 == " " } }.joined(separator: "\n")
    }
}
