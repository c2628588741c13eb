import FakeKernel
import IPVSKit
import RuleKit
import SystemPackage
import TestSupport
import Testing

@testable import MeshKit

#if canImport(Glibc)
    import Glibc
#endif

/// What ``FileSpecStore`` does beside the contract of ``SpecStoreContractTests``.
@Suite struct FileSpecStoreTests {
    private static func published() throws -> MeshSpec {
        var spec = MeshSpec()
        try spec.addTask(SpecTask(address: "10.0.0.2", weight: 3), service: "nginx")
        try spec.addTask(SpecTask(address: "fd00::2", node: "node1"), service: "nginx")
        try spec.publish(PortBinding(1080, .tcp), target: 80, service: "nginx")
        return spec
    }

    /// The document is read by later versions: its shape is not to change by accident.
    @Test func theDocument() async throws {
        try await TemporaryDirectory.with { directory in
            let store = FileSpecStore(directory: directory)
            try await store.swap(Self.published(), replacing: 0)
            #expect(
                try directory.appending("mesh.json").text() == """
                    {
                      "generation" : 1,
                      "schema" : 4,
                      "services" : {
                        "nginx" : {
                          "ports" : [
                            {
                              "mark" : 256,
                              "port" : 1080,
                              "target" : 80,
                              "transport" : "tcp"
                            }
                          ],
                          "scheduler" : "rr",
                          "tasks" : [
                            {
                              "address" : "10.0.0.2",
                              "weight" : 3
                            },
                            {
                              "address" : "fd00::2",
                              "node" : "node1",
                              "weight" : 1
                            }
                          ]
                        }
                      }
                    }

                    """)
            #expect(store.document.generationOfWholeDocument() == 1, "known without reading all of it")
            var status = stat()
            #expect(stat(directory.appending("mesh.lock").string, &status) == 0 && status.st_mode & 0o777 == 0o600)
            #expect(access(directory.appending("mesh.json.new").string, F_OK) != 0)
        }
    }

    /// The shape of nodes, networks and attached tasks.
    @Test func theDocumentOfAMesh() async throws {
        try await TemporaryDirectory.with { directory in
            let store = FileSpecStore(directory: directory)
            var spec = MeshSpec()
            spec.meshGeneration = 7
            spec.edits = EditVector(["b": 3, "a": 4])
            try spec.addNode("a", address: "192.0.2.1", gatewaySubnets: ["172.18.0.0/16"])
            try spec.createNetwork("ingress", subnets: ["10.255.0.0/16"])
            try spec.createNetwork("back", subnets: ["10.0.1.0/24"])
            let request = TaskAttachmentRequest(
                namespace: "/run/netns/t1", inode: 4711, node: "a", networks: ["back"])
            try spec.attach(request, service: "web")
            try await store.swap(spec, replacing: 0)
            spec.generation = 1
            #expect(try await store.load() == spec)
            #expect(store.document.generationOfWholeDocument() == 1, "known without reading all of it")
            let text = try store.file.text().replacing(/\s/, with: "")
            #expect(
                text
                    == #"""
                    {"generation":1,"meshEdits":{"a":4,"b":3},"meshGeneration":7,"networks":{
                    "back":{"balancers":{"a":["10.0.1.2"]},"identifier":4097,"port":4789,"subnets":["10.0.1.0/24"]},
                    "ingress":{"balancers":{"a":["10.255.0.2"]},"identifier":4096,"port":4789,
                    "subnets":["10.255.0.0/16"]}},
                    "nodes":{"a":{"address":"192.0.2.1","gatewaySubnets":["172.18.0.0/16"],"number":1}},"schema":4,
                    "services":{"web":{"ports":[],"scheduler":"rr","tasks":[{"address":"10.255.0.3",
                    "attachment":{"addresses":{"back":["10.0.1.4"],"ingress":["10.255.0.3"]},"defaultAddresses":[],
                    "gatewayAddresses":["172.18.0.2"],"inode":4711,"namespace":"/run/netns/t1"},"node":"a","weight":1}],
                    "virtualAddresses":{"back":{"addresses":["10.0.1.3"],"mark":256}}}}}
                    """#.replacing(/\s/, with: ""))
        }
    }

    /// Layout 3 had neither nodes nor networks.
    @Test func layout3IsReadAndReplacedByLayout4() async throws {
        try await TemporaryDirectory.with { directory in
            let store = FileSpecStore(directory: directory)
            try await store.swap(Self.published(), replacing: 0)
            let text = try store.file.text()
            try store.file.write(text.replacing("\"schema\" : 4", with: "\"schema\" : 3"))
            var spec = try Self.published()
            spec.generation = 1
            #expect(try await store.load() == spec)
            try await store.swap(spec, replacing: 1)
            #expect(try store.file.text() == text.replacing("\"generation\" : 1", with: "\"generation\" : 2"))
        }
    }

    @Test func everythingThatCanBeSaidOfAPort() async throws {
        try await TemporaryDirectory.with { directory in
            let store = FileSpecStore(directory: directory)
            let spec = try await store.update { spec in
                try spec.publish(
                    PortBinding(1000...1010, .sctp, at: "fd00::1"), target: 2000, service: "nginx",
                    options: .init(
                        scheduler: .maglevHashing, stickySeconds: 600, allowed: ["fd00::/8"], sourceIP: .keep))
            }
            #expect(try await store.load() == spec)
        }
    }

    @Test func aTruncatedDocumentIsRefusedAndKept() async throws {
        try await TemporaryDirectory.with { directory in
            let store = FileSpecStore(directory: directory)
            try await store.swap(Self.published(), replacing: 0)
            try await DocumentFaults.expectTruncatedIsKept(
                store.file, load: { _ = try await store.load() },
                // What would come next, were it whole.
                write: { try await store.swap(MeshSpec(), replacing: 1) })
        }
    }

    @Test(
        arguments: [
            ("hello", StoreError.Code.corrupt), ("[]", .corrupt), ("{\"schema\": 5}", .newerSchema),
            ("{\"schema\": 0}", .corrupt), ("{\"schema\": 4}", .corrupt), ("{\"schema\": \"4\"}", .corrupt),
            ("", .corrupt), ("{\"schema\": 99, \"future\": true}", .newerSchema),
            // Whole, in the order that we write, and with the generation that is to be replaced.
            ("{\n  \"generation\" : 1,\n  \"schema\" : 5,\n  \"services\" : {\n\n  }\n}\n", .newerSchema),
            ("{\n  \"generation\" : 1,\n  \"future\" : {\n\n  },\n  \"schema\" : 5\n}\n", .newerSchema),
            (#"{"schema":3,"generation":1,"services":{"a":{"scheduler":"rr","ports":[]}}}"#, .corrupt),
            (
                #"{"schema":3,"generation":1,"services":{"a":{"scheduler":"rr","tasks":[],"ports":[{"port":0,"target":80,"transport":"tcp","mark":256}]}}}"#,
                .corrupt
            ),
            (
                #"{"schema":3,"generation":1,"services":{"a":{"scheduler":"rr","tasks":[],"ports":[{"port":80,"target":80,"transport":"47","mark":256}]}}}"#,
                .corrupt
            ),
            (
                #"{"schema":3,"generation":1,"services":{"a":{"scheduler":"rr","tasks":[],"ports":[{"port":80,"target":80,"transport":"tcp","mark":0}]}}}"#,
                .corrupt
            ),
            (
                #"{"schema":2,"generation":1,"retiringMarks":[0],"originalSysctls":{},"services":{}}"#, .corrupt
            ),
        ])
    func whatIsNotOursIsRefusedAndKept(text: String, code: StoreError.Code) async throws {
        try await TemporaryDirectory.with { directory in
            let store = FileSpecStore(directory: directory)
            try store.file.write(text)
            try await DocumentFaults.expectIsKept(
                store.file, code, load: { _ = try await store.load() },
                write: { try await store.swap(MeshSpec(), replacing: 1) })
        }
    }

    /// Whoever edits the document may write it in another order, and in one line.
    @Test(arguments: [
        #"{"services":{},"schema":3,"generation":5}"#, "{\"services\":{},\n\"generation\":5,\n\"schema\":3\n}\n",
        "{ \"generation\" : 5, \"schema\" : 3, \"services\" : {}\n}\n",
    ])
    func aDocumentWrittenByHandIsReplacedByItsGeneration(text: String) async throws {
        try await TemporaryDirectory.with { directory in
            let store = FileSpecStore(directory: directory)
            try store.file.write(text)
            let error = await #expect(throws: StoreError.self) { try await store.swap(MeshSpec(), replacing: 4) }
            #expect(error?.code == .conflict)
            #expect(try store.file.text() == text)
            try await store.swap(Self.published(), replacing: 5)
            #expect(try await store.load().generation == 6)
        }
    }

    /// Four processes, each with a service of its own.
    @Test func updatesOfManyProcessesAllHappen() async throws {
        try await TemporaryDirectory.with { directory in
            let probe = try BuiltProducts.path("StoreProbe")
            try await withThrowingTaskGroup(of: Ran.self) { group in
                for number in 0..<4 {
                    group.addTask {
                        try await Shell.run(["timeout", "60", probe, directory.string, "service\(number)", "10"])
                    }
                }
                for try await ran in group { #expect(ran.status == 0, "\(ran)") }
            }
            let spec = try await FileSpecStore(directory: directory).load()
            #expect(spec.generation == 40)
            #expect(spec.services.count == 4 && spec.services.values.allSatisfy { $0.tasks.count == 10 })
        }
    }
}
