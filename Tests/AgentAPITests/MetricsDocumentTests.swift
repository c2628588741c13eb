import FakeKernel
import IPVSKit
import MeshKit
import SystemPackage
import TestSupport
import Testing

@testable import AgentAPI

/// docs/metrics.md has a row for each metric, and no other.
@Suite struct MetricsDocumentTests {
    @Test func theTablesListTheMetrics() async throws {
        let node = FakeNode()
        let (view, plan) = try await node.mesh().observe()
        let metrics = Metrics.all(of: (view, plan), AgentRecord(at: .now), at: .now)
        let wanted = metrics.map { metric in
            let definition = metric.definition
            let labels = definition.labels.map { "`\($0)`" }.joined(separator: ", ")
            return ["`\(definition.name)`", definition.kind.rawValue, definition.unit, labels, definition.help]
        }
        let text = try FilePath(#filePath).repository.appending("docs/metrics.md").text()
        let rows = text.split(separator: "\n").filter { $0.hasPrefix("| `meshctl_") }.map { row in
            row.dropFirst(2).dropLast(2).split(separator: "|", omittingEmptySubsequences: false).map { cell in
                String(cell.drop { $0 == " " }.reversed().drop { $0 == " " }.reversed())
            }
        }
        #expect(rows.sorted { $0[0] < $1[0] } == wanted.sorted { $0[0] < $1[0] })
    }
}

extension FilePath {
    /// The repository of a test's file.
    var repository: FilePath { removingLastComponent().removingLastComponent().removingLastComponent() }
}
