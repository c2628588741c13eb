import SystemPackage
import TestSupport
import Testing
import Yams

@testable import AgentAPI

/// docs/openapi.yaml describes the paths that are answered.
@Suite struct OpenAPITests {
    private func document() throws -> Node {
        let text = try FilePath(#filePath).repository.appending("docs/openapi.yaml").text()
        return try #require(try Yams.compose(yaml: text))
    }

    @Test func eachPathIsDescribed() async throws {
        let document = try document()
        #expect(document["openapi"]?.string == "3.1.0")
        let paths = try #require(document["paths"]?.mapping)
        let endpoints = Endpoints.ofSocket(offering: MeshChanges.Work.telling.offered)
        #expect(Set(paths.keys.compactMap(\.string)) == Set(endpoints.keys))
        try await ServerUnderTest.with { server in
            for (path, item) in paths {
                let path = try #require(path.string)
                let method = "\(try #require(endpoints[path]).method)"
                #expect(item.mapping?.keys.compactMap(\.string) == [method.lowercased()], "the only method")
                let operation = try #require(item[method.lowercased()])
                let responses = try #require(operation["responses"]?.mapping)
                guard path != "/v1/events" else { continue }
                // Each parameter that is described is known, and a body is described where one is needed.
                let flags = operation["parameters"]?.sequence?.compactMap { $0["name"]?.string } ?? []
                #expect((operation["requestBody"] != nil) == (endpoints[path]?.longestBody != nil), "\(path)")
                let query = flags.isEmpty ? "" : "?" + flags.map { "\($0)=true" }.joined(separator: "&")
                let answer = try await server.ask(path + query, method: method)
                #expect(method == "GET" || answer.status == 200, "\(answer)")
                var described = try #require(
                    responses.first { $0.key.string == "\(answer.status)" }?.value, "\(path) answers \(answer.status)")
                if let name = described["$ref"]?.string?.split(separator: "/").last {
                    described = try #require(document["components"]?["responses"]?[String(name)])
                }
                let types = try #require(described["content"]?.mapping?.keys.compactMap(\.string))
                #expect(types.contains { answer.head.contains("Content-Type: \($0)") }, "\(path): \(answer.head)")
            }
        }
    }

    /// Each reference leads somewhere.
    @Test func eachReferenceIsDefined() throws {
        let document = try document()
        func references(_ node: Node) -> [String] {
            switch node {
            case .mapping(let mapping):
                mapping.flatMap { key, value in key.string == "$ref" ? [value.string ?? ""] : references(value) }
            case .sequence(let sequence): sequence.flatMap(references)
            default: []
            }
        }
        let all = references(document)
        #expect(all.count > 5)
        for reference in all where reference != "mesh.schema.json" {
            let found = reference.split(separator: "/").dropFirst().reduce(Optional(document)) { $0?[String($1)] }
            #expect(found != nil, "\(reference)")
        }
    }

    /// An event has the fields that are described.
    @Test func anEventIsAsDescribed() throws {
        let schema = try #require(try document()["components"]?["schemas"]?["Event"])
        let line = JSONLine.text(AgentEvent(time: "t", level: "info", message: "m", fields: ["a": "b"]))
        let event = try #require(try Yams.compose(yaml: line)?.mapping)
        let keys = Set(event.keys.compactMap(\.string))
        #expect(Set(schema["properties"]?.mapping?.keys.compactMap(\.string) ?? []) == keys)
        #expect(Set(schema["required"]?.sequence?.compactMap(\.string) ?? []) == keys)
    }
}
