import FoundationEssentials
import SystemPackage
import TestSupport
import Testing

/// The output of a command when it cannot be written, and when a terminal would act upon it.
@Suite struct OutputTests {
    private static func shell(_ script: String, _ arguments: [String] = [], state: String = "/nonexistent") async throws
        -> Ran
    {
        try await Shell.run(
            ["bash", "-c", script, try BuiltProducts.path("meshctl")] + arguments,
            environment: ["MESHCTL_STATE_DIR": state, "COLUMNS": "100"])
    }

    private static let printing: [[String]] = [
        ["service", "ls"], ["service", "ls", "--format", "json"], ["task", "ls"], ["task", "ls", "--format", "json"],
        ["--help"], ["help", "publish"], ["task", "add", "--help"], ["--version"],
        ["--generate-completion-script", "bash"],
    ]

    @Test(arguments: printing) func whatCannotBeWrittenIsAFailure(arguments: [String]) async throws {
        for target in [">/dev/full", ">&-"] {
            let ran = try await Self.shell("exec \"$0\" \"$@\" \(target)", arguments)
            #expect(ran.status == 1, "\(target) \(ran)")
            #expect(ran.error.contains("could not be written"), "\(target) \(ran)")
            #expect(!ran.error.contains("the change was made"), "\(target) \(ran)")
        }
    }

    @Test(arguments: printing) func aReaderThatHasGoneIsAFailureToo(arguments: [String]) async throws {
        let ran = try await Self.shell(
            "{ sleep 0.2; \"$0\" \"$@\"; echo \"status $?\" >&2; } | exec true", arguments)
        #expect(ran.error.contains("Broken pipe") && ran.error.contains("status 1"), "\(ran)")
    }

    /// If standard error cannot be written either, the exit status is still right.
    @Test func whereErrorsCannotBeWrittenTheStatusStays() async throws {
        for target in ["2>/dev/full", "2>&-", ">&- 2>&-"] {
            let ran = try await Self.shell("exec \"$0\" service inspect nobody \(target)")
            #expect(ran.status == 65, "\(target) \(ran)")
        }
    }

    /// Names in the state file may come from anybody.
    private static let names = [
        "\u{1B}[31mred", "a\u{9B}2J", "a\nb", "a\rb", "\u{202E}gnp", "a\u{200B}b", "\u{7F}", "é",
    ]

    /// The name as a JSON string in ASCII.
    private static func quoted(_ name: String) -> String {
        let escapes = name.unicodeScalars.map { "\\u" + String(0x10000 + $0.value, radix: 16).dropFirst() }
        return "\"" + escapes.joined() + "\""
    }

    private static func withNames(_ body: (FilePath) async throws -> Void) async throws {
        try await TemporaryDirectory.with { directory in
            let services = names.map { quoted($0) + #": {"scheduler":"rr","ports":[],"tasks":[]}"# }
            try directory.appending("mesh.json").write(
                #"{"schema":1,"generation":3,"retiringMarks":[],"originalSysctls":{},"services":{"#
                    + services.joined(separator: ",") + "}}")
            try await body(directory)
        }
    }

    private static func isHarmless(_ text: String) -> Bool {
        text.unicodeScalars.allSatisfy { scalar in
            scalar == "\n" || ![.control, .format, .lineSeparator].contains(scalar.properties.generalCategory)
        }
    }

    @Test func aTerminalIsSentNothingThatItWouldActUpon() async throws {
        try await Self.withNames { directory in
            let list = try await Self.shell("exec \"$0\" service ls", state: directory.string)
            #expect(list.status == 0 && Self.isHarmless(list.output), "\(list.output.debugDescription)")
            #expect(list.output.split(separator: "\n").count == 1 + Self.names.count, "a line for each")
            #expect(list.output.contains("\\u{1B}[31mred") && list.output.contains("é"))
            for name in Self.names {
                let ran = try await Self.shell(
                    "exec \"$0\" \"$@\"", ["service", "inspect", name], state: directory.string)
                #expect(ran.status == 0 && Self.isHarmless(ran.output), "\(ran.output.debugDescription)")
                let unknown = try await Self.shell("exec \"$0\" \"$@\"", ["service", "inspect", name + "x"])
                #expect(unknown.status == 65 && Self.isHarmless(unknown.error), "\(unknown.error.debugDescription)")
                let wrong = try await Self.shell("exec \"$0\" \"$@\"", ["frobnicate", name])
                #expect(wrong.status == 64 && Self.isHarmless(wrong.error), "\(wrong.error.debugDescription)")
                let option = try await Self.shell("exec \"$0\" \"$@\"", ["publish", "1080:80", "a", "--sticky", name])
                #expect(option.status == 64 && Self.isHarmless(option.error), "\(option.error.debugDescription)")
            }
            let path = try await Self.shell("exec \"$0\" service ls --state-dir $'/dev/null/\\e[31m'")
            #expect(path.status == 1 && Self.isHarmless(path.error), "\(path.error.debugDescription)")
        }
    }

    /// The escaped JSON is the same document.
    @Test func jsonSaysTheNamesAsTheyAre() async throws {
        try await Self.withNames { directory in
            let ran = try await Self.shell("exec \"$0\" service ls --format json", state: directory.string)
            #expect(Self.isHarmless(ran.output), "\(ran.output.debugDescription)")
            struct Document: Decodable {
                struct Service: Decodable { var name: String }
                var services: [Service]
            }
            let document = try JSONDecoder().decode(Document.self, from: Data(ran.output.utf8))
            #expect(document.services.map(\.name) == Self.names.sorted())
        }
    }

    /// What the ledger says of tasks that start slowly is among what is saved, and needs no root.
    @Test func whoStartsSlowly() async throws {
        try await TemporaryDirectory.with { directory in
            try directory.appending("mesh.json").write(
                """
                {"schema":4,"generation":3,"services":{"web":{"scheduler":"wlc","slowStartSeconds":90,"ports":[],"tasks":[
                {"address":"10.0.0.11","weight":1},{"address":"10.0.0.12","weight":1}]}}}
                """)
            try directory.appending("ledger.json").write(
                """
                {"schema":1,"generation":1,"id":"0123456789abcdef","node":"node1","places":{},"starts":{"web":
                {"used":["10.0.0.11","10.0.0.12"],"since":{"10.0.0.12":1000}}}}
                """)
            for (command, words) in [
                ("task ls", "1, starting slowly"), ("service inspect web", "scheduler wlc, slow start 90s"),
                ("service inspect web", "1, starting slowly"),
                ("service inspect web --format json", "\"slowStartSeconds\" : 90"),
                ("service inspect web --format json", "\"startingSlowly\" : true"),
                ("task ls --format json", "\"startingSlowly\" : true"),
            ] {
                let ran = try await Self.shell("exec \"$0\" \(command)", state: directory.string)
                #expect(ran.status == 0 && ran.output.split(separator: words).count == 2, "\(command): \(ran)")
            }
        }
    }

    /// Swift would silently replace these bytes, and another folder would be used.
    @Test func whatIsNotUTF8IsRefused() async throws {
        for script in [
            "exec \"$0\" service ls --state-dir $'/tmp/\\xff'", "exec \"$0\" service ls --state-dir=$'/tmp/\\xff'",
            "MESHCTL_STATE_DIR=$'/tmp/\\xff' exec \"$0\" service ls", "exec \"$0\" service inspect $'\\xc3'",
            "exec \"$0\" $'\\xff'", "exec \"$0\" publish 1080:80 $'\\xed\\xa0\\x80'",
            "MESHCTL_RULES=$'\\xff' exec \"$0\" plan",
        ] {
            let ran = try await Self.shell(script)
            #expect(ran.status == 64, "\(script): \(ran)")
            #expect(ran.error.contains("is not UTF-8"), "\(script): \(ran)")
        }
        let empty = try await Self.shell("exec \"$0\" service ls --state-dir ''")
        #expect(empty.status == 64 && empty.error.contains("--state-dir is empty"), "\(empty)")
    }
}
