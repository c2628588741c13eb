#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif
import Netlink
import SystemPackage

#if canImport(Glibc)
    import Glibc
#endif

/// The content of an ``AtomicDocument``.
protocol DocumentContent: Decodable, Sendable {
    /// The newest layout that this version reads, and the layout that it writes.
    static var newestSchema: Int { get }
    /// The advice in an error about a damaged document.
    static var remedy: String { get }
    /// The number of writes until now.
    var generation: UInt64 { get }
}

/// A JSON document in a file. The file is replaced as a whole, so that a reader sees either the old document or the new
/// one, and a crash leaves one of the two.
///
/// The document records its layout (`schema`) and the number of writes (`generation`). A document that is damaged or
/// has a newer layout is never replaced. The caller has to hold a lock that keeps two writers apart.
struct AtomicDocument<Content: DocumentContent>: Sendable {
    let file: FilePath
    /// What was read last. With thousands of ports, parsing the same bytes again would take as long as a pass.
    private let last = Locked<(bytes: [UInt8], content: Content)?>(nil)
    private var temporaryFile: FilePath { FilePath(file.string + ".new") }

    init(_ file: FilePath) { self.file = file }

    /// Reads the document; nil if there is no file.
    func load() throws(StoreError) -> Content? {
        let bytes: [UInt8]
        do {
            let descriptor = try file.openRegularFile()
            bytes = try descriptor.closeAfter { try descriptor.readToEnd() }
        } catch let error {
            if error as? Errno == .noSuchFileOrDirectory { return nil }
            throw StoreError(cannot: "read", file, error)
        }
        if let last = last.withLock(\.self), last.bytes == bytes { return last.content }
        let versioned: Versioned<Content>
        do {
            versioned = try JSONDecoder().decode(Versioned<Content>.self, from: Data(bytes))
        } catch {
            throw StoreError(
                code: .corrupt, description: "\(file) is damaged: \(Self.describe(error)); \(Content.remedy)")
        }
        guard let content = versioned.content else {
            throw StoreError(
                code: .newerSchema,
                description: "\(file) has schema \(versioned.schema), and this version of meshctl reads up to "
                    + "\(Content.newestSchema): a newer meshctl wrote it; use that one")
        }
        last.withLock { $0 = (bytes, content) }
        return content
    }

    /// Replaces the document. The new one is written to a file beside it and synced, the file is renamed over the old
    /// one, and the folder is synced. The folder is made if it does not exist.
    ///
    /// - Parameters:
    ///   - generation: the generation of the document that is replaced; 0 if there is none.
    ///   - content: the new content, with its new generation.
    /// - Throws: ``StoreError`` with the code `conflict` if the stored document has another generation.
    func replace(_ generation: UInt64, with content: some Encodable) throws(StoreError) {
        guard try newestGeneration() == generation else {
            throw StoreError(
                code: .conflict, description: "\(file) was changed by another program meanwhile; try again")
        }
        do {
            try file.removingLastComponent().makeDirectory()
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
            let text = try encoder.encode(content) + [UInt8(ascii: "\n")]

            let new = try FileDescriptor.open(
                temporaryFile, .writeOnly, options: [.create, .truncate, .closeOnExec],
                permissions: [.ownerReadWrite, .groupRead, .otherRead])
            try new.closeAfter {
                _ = try new.writeAll(text)
                try sync(new)
            }
            let renamed = temporaryFile.withPlatformString { from in file.withPlatformString { rename(from, $0) } }
            guard renamed == 0 else { throw Errno(rawValue: errno) }
            let folder = try FileDescriptor.open(
                file.removingLastComponent(), .readOnly, options: [.directory, .closeOnExec])
            try folder.closeAfter { try sync(folder) }
        } catch {
            _ = temporaryFile.withPlatformString { unlink($0) }
            throw StoreError(cannot: "write", file, error)
        }
    }

    /// The generation of the stored document; 0 if there is none.
    ///
    /// - Throws: ``StoreError`` if the document is damaged or has a newer layout.
    private func newestGeneration() throws(StoreError) -> UInt64 {
        if let generation = generationOfWholeDocument() { return generation }
        return try load()?.generation ?? 0
    }

    /// Reads the generation of a document that this version wrote from its first and last bytes alone: with thousands
    /// of ports, parsing the rest takes as long as everything else that a command does. Nil if these bytes do not tell.
    ///
    /// The encoder sorts keys. So `generation` comes first, and `schema` either follows it, comes last, or stands
    /// between other keys of the document, which alone are indented by two spaces. Only the outermost brace begins a
    /// line, so a last line with a brace shows that the document is complete.
    func generationOfWholeDocument() -> UInt64? {
        guard
            let (head, tail) = try? file.openRegularFile().closeAfterReadingEnds(),
            tail.hasSuffix("\n}\n"), let match = head.prefixMatch(of: /\{\s*"generation"\s*:\s*([0-9]+),/),
            let schema = head[match.range.upperBound...].prefixMatch(of: /\s*"schema"\s*:\s*([0-9]+),/)
                ?? tail.firstMatch(of: /,\s*"schema"\s*:\s*([0-9]+)\s*\}\n$/)
                ?? head[match.range.upperBound...].firstMatch(of: /\n  "schema" : ([0-9]+),/),
            Int(schema.1) == Content.newestSchema
        else { return nil }
        return UInt64(match.1)
    }

    private func sync(_ descriptor: FileDescriptor) throws(Errno) {
        guard fsync(descriptor.rawValue) == 0 else { throw Errno(rawValue: errno) }
    }

    private static func describe(_ error: any Error) -> String {
        switch error as? DecodingError {
        case .keyNotFound(let key, let context): "\(path(context))\(key.stringValue) is missing"
        case .typeMismatch(_, let context), .valueNotFound(_, let context):
            context.codingPath.isEmpty
                ? "it is not a JSON object" : "\(path(context)) \(context.debugDescription)"
        case .dataCorrupted(let context):
            context.codingPath.isEmpty
                ? "it is truncated, or is not JSON" : "\(path(context)) \(context.debugDescription)"
        case nil: "\(error)"
        @unknown default: "\(error)"
        }
    }

    private static func path(_ context: DecodingError.Context) -> String {
        context.codingPath.map { "\($0.intValue.map(String.init) ?? $0.stringValue)." }.joined()
    }
}

/// Decodes a document in one pass, although its layout must be known before the rest is read.
private struct Versioned<Content: DocumentContent>: Decodable {
    var schema: Int
    /// Nil if the layout is newer than this version reads.
    var content: Content?

    private enum CodingKeys: String, CodingKey { case schema }

    init(from decoder: any Decoder) throws {
        schema = try decoder.container(keyedBy: CodingKeys.self).decode(Int.self, forKey: .schema)
        content = schema <= Content.newestSchema ? try Content(from: decoder) : nil
    }
}

extension FileDescriptor {
    /// Reads the first and the last bytes as text, and closes the file.
    fileprivate func closeAfterReadingEnds() throws -> (head: String, tail: String) {
        try closeAfter {
            let length = try seek(offset: 0, from: .end)
            return (try text(from: 0, count: 16384), try text(from: max(0, length - 48), count: 48))
        }
    }

    private func text(from offset: Int64, count: Int) throws -> String {
        let bytes = try [UInt8](unsafeUninitializedCapacity: count) { buffer, read in
            read = try self.read(fromAbsoluteOffset: offset, into: UnsafeMutableRawBufferPointer(buffer))
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
