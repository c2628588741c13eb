import ArgumentParser
import MeshKit
import SystemPackage

struct Apply: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "apply",
        abstract: "Make the mesh that a YAML file describes.",
        discussion: """
            A file of `meshctl export` says its generation and describes the whole mesh: what it does not contain is \
            removed. It is refused if the mesh here has edits that the file lacks. In a file without a generation, whatever is left out \
            stays as it is, or is allocated; --prune removes what the sections of the file leave out.

            EXAMPLE
              meshctl apply -f mesh.yaml --dry-run
              meshctl export | ssh root@node2 meshctl apply -f - --node node2
            """)

    @Option(
        name: .shortAndLong, help: ArgumentHelp("The file; - stands for standard input.", valueName: "file"),
        completion: .file(extensions: ["yaml", "yml"]))
    var file: String

    @Flag(help: "Print what would change, and change nothing.")
    var dryRun = false

    @Flag(help: "Remove what the sections of the file leave out.")
    var prune = false

    @Flag(help: "Apply a file of `meshctl export` although the mesh here has edits that it lacks.")
    var force = false

    @OptionGroup var patience: Patience

    @OptionGroup var options: GlobalOptions

    func run() async throws {
        try await options.carryOut(
            ApplyFile(
                text: try InputFile.text(of: file), name: InputFile.name(of: file), prunes: prune, forces: force,
                now: patience.now, isDry: dryRun))
    }
}

/// A file that a command reads.
enum InputFile {
    /// More than any mesh takes; a device or a wrong file could go on for ever.
    private static let mostBytes = 64 << 20

    /// What messages call a file.
    static func name(of path: String) -> String { path == "-" ? "standard input" : path }

    /// - Parameter name: the path; `-` stands for standard input.
    static func text(of name: String) throws -> String {
        let shown = Self.name(of: name)
        do {
            if name == "-" { return try text(of: .standardInput, shown) }
            guard !name.isEmpty else { throw ValidationError("-f names no file.") }
            let file = try FileDescriptor.open(FilePath(name), .readOnly, options: .closeOnExec)
            return try file.closeAfter { try text(of: file, shown) }
        } catch let error as Errno {
            throw InputError("\(shown) cannot be read: \(error)")
        }
    }

    private static func text(of file: FileDescriptor, _ shown: String) throws -> String {
        var bytes: [UInt8] = []
        while true {
            let more = try [UInt8](unsafeUninitializedCapacity: 1 << 16) { buffer, count in
                count = try file.read(into: UnsafeMutableRawBufferPointer(buffer))
            }
            if more.isEmpty { break }
            bytes += more
            guard bytes.count <= mostBytes else { throw InputError("\(shown) is larger than any mesh") }
        }
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw InputError("\(shown) is not UTF-8, and so no YAML")
        }
        return text
    }
}
