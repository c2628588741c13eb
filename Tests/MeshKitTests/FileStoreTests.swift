import IPVSKit
import RuleKit
import SystemPackage
import TestSupport
import Testing

@testable import MeshKit

@Suite struct FileStoreTests {
    private static func published() throws -> MeshState {
        var state = MeshState()
        try state.addTask(MeshTask(address: "10.0.0.2", weight: 3), service: "nginx")
        try state.addTask(MeshTask(address: "fd00::2", isLocal: true), service: "nginx")
        try state.publish(PortBinding(1080, .tcp), target: 80, service: "nginx")
        state.originalSysctls = [.ipv4Forwarding: "0"]
        state.generation = 1
        return state
    }

    @Test func anEmptyFolderIsAnEmptyMesh() throws {
        try TemporaryDirectory.with { directory in
            let empty = try FileStore(directory: directory).load()
            let absent = try FileStore(directory: directory.appending("not/there")).load()
            #expect(empty == MeshState() && absent == MeshState())
        }
    }

    @Test func whatIsSavedIsLoaded() throws {
        try TemporaryDirectory.with { directory in
            let state = try Self.published()
            try FileStore(directory: directory).save(state)
            #expect(try FileStore(directory: directory).load() == state)
        }
    }

    /// The document is read by later versions: its shape is not to change by accident.
    @Test func theDocument() throws {
        try TemporaryDirectory.with { directory in
            let store = FileStore(directory: directory)
            try store.save(try Self.published())
            #expect(
                try directory.appending("mesh.json").text() == """
                    {
                      "generation" : 1,
                      "originalSysctls" : {
                        "net/ipv4/ip_forward" : "0"
                      },
                      "retiringMarks" : [

                      ],
                      "schema" : 2,
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
                              "local" : false,
                              "weight" : 3
                            },
                            {
                              "address" : "fd00::2",
                              "local" : true,
                              "weight" : 1
                            }
                          ]
                        }
                      }
                    }

                    """)
        }
    }

    @Test func everythingThatCanBeSaidOfAPort() throws {
        try TemporaryDirectory.with { directory in
            var state = MeshState()
            try state.publish(
                PortBinding(1000...1010, .sctp, at: "fd00::1"), target: 2000, service: "nginx",
                options: .init(stickySeconds: 600, allowed: ["fd00::/8"], sourceIP: .keep))
            state.generation = 1
            state.rules = .nftables
            state.formerRules = .iptables
            state.staleFlows = [PortBinding(53, .udp), PortBinding(1000...1010, .udp, at: "fd00::1")]
            state.reservedPorts = [1000...1010]
            state.hairpinPorts = ["veth1"]
            state.originalTCPTimeoutSeconds = 900
            state.hasLoopback = false
            try FileStore(directory: directory).save(state)
            #expect(try FileStore(directory: directory).load() == state)
        }
    }

    /// What the first layout does not say is as it was then: rules by iptables, each port for everybody.
    @Test func theFirstLayoutIsRead() throws {
        try TemporaryDirectory.with { directory in
            try directory.appending("mesh.json").write(
                #"""
                {"schema":1,"generation":7,"retiringMarks":[],"originalSysctls":{},"services":{"nginx":{"scheduler":"rr",
                "tasks":[],"ports":[{"port":1080,"target":80,"transport":"tcp","mark":256}]}}}
                """#)
            let state = try FileStore(directory: directory).load()
            #expect(state.rules == .iptables && state.schema == 2)
            #expect(
                state.services["nginx"]?.ports
                    == [PublishedPort(listening: PortBinding(1080, .tcp), target: 80, mark: 0x100)])
        }
    }

    /// Cut off at every byte: an error each time, and the file as it was.
    @Test func aTruncatedDocumentIsRefusedAndKept() throws {
        try TemporaryDirectory.with { directory in
            let store = FileStore(directory: directory)
            try store.save(try Self.published())
            let file = directory.appending("mesh.json")
            let whole = try file.text()
            // The last byte is the newline, without which it is whole all the same.
            for length in stride(from: 0, to: whole.utf8.count - 1, by: 7) {
                let cut = String(decoding: whole.utf8.prefix(length), as: UTF8.self)
                try file.write(cut)
                let error = #expect(throws: StoreError.self) { try store.load() }
                #expect(error?.code == .corrupt)
                // What would come next, were it whole.
                var next = MeshState()
                next.generation = 2
                let refusal = #expect(throws: StoreError.self) { try store.save(next) }
                #expect(refusal?.code == .corrupt, "cut off after \(length) bytes")
                #expect(try file.text() == cut)
            }
        }
    }

    @Test(
        arguments: [
            ("hello", StoreError.Code.corrupt), ("[]", .corrupt), ("{\"schema\": 3}", .newerSchema),
            ("{\"schema\": 1}", .corrupt), ("{\"schema\": 2}", .corrupt),
            ("{\"schema\": \"1\"}", .corrupt), ("", .corrupt), ("{\"schema\": 99, \"future\": true}", .newerSchema),
            (
                #"{"schema":1,"generation":1,"retiringMarks":[0],"originalSysctls":{},"services":{}}"#, .corrupt
            ),
            (
                #"{"schema":1,"generation":1,"retiringMarks":[],"originalSysctls":{},"services":{"a":{"scheduler":"rr","tasks":[],"ports":[{"port":0,"target":80,"transport":"tcp","mark":256}]}}}"#,
                .corrupt
            ),
            (
                #"{"schema":1,"generation":1,"retiringMarks":[],"originalSysctls":{},"services":{"a":{"scheduler":"rr","tasks":[],"ports":[{"port":80,"target":80,"transport":"47","mark":256}]}}}"#,
                .corrupt
            ),
        ])
    func whatIsNotOursIsRefused(text: String, code: StoreError.Code) throws {
        try TemporaryDirectory.with { directory in
            try directory.appending("mesh.json").write(text)
            let error = #expect(throws: StoreError.self) { try FileStore(directory: directory).load() }
            #expect(error?.code == code)
            #expect(error?.description.contains("mesh.json") == true)
        }
    }

    @Test func aStateThatIsNotTheNewestOnesSuccessorIsRefused() throws {
        try TemporaryDirectory.with { directory in
            let store = FileStore(directory: directory)
            let state = try Self.published()
            try store.save(state)
            let error = #expect(throws: StoreError.self) { try store.save(state) }
            #expect(error?.code == .conflict)

            // Whoever edits the document may write it in another order.
            let text = try store.file.text()
            try store.file.write(
                text.replacing("\"generation\" : 1,", with: "").dropLast("}\n".count) + ", \"generation\": 1}\n")
            #expect(throws: StoreError.self) { try store.save(state) }
            var next = state
            next.generation = 2
            try store.save(next)
            #expect(try store.load() == next)
        }
    }
}
