#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif
import SystemPackage

#if canImport(Glibc)
    import Glibc
#endif

/// What an ``AtomicDocument`` holds.
protocol DocumentContent: Decodable, Sendable {
    /// The newest layout that this version reads, the one that it writes.
    static var newestSchema: Int { get }
    /// What to do where the document is damaged.
    static var remedy: String { get }
    /// The number of writes until now.
    var generation: UInt64 { get }
}

/// A JSON document in a file, which is replaced as a whole: a reader sees the old one or the new one, and a crash leaves one
/// of the two.
///
/// The document says which layout it has (`schema`) and how often it was written (`generation`). What is damaged, or of a
/// newer layout, is never replaced. Two writers at a time must not be: a lock of the caller's sees to that.
struct AtomicDocument<Content: DocumentContent>: Sendable {
    let file: FilePath
    private var temporaryFile: FilePath { FilePath(file.string + ".new") }

    init(_ file: FilePath) { self.file = file }

    /// What the document holds; nil where there is no file.
    func load() throws(StoreError) -> Content? {
        let bytes: [UInt8]
        do {
            let descriptor = try file.openRegularFile()
            bytes = try descriptor.closeAfter { try descriptor.readToEnd() }
        } catch let error {
            if error as? Errno == .noSuchFileOrDirectory { return nil }
            throw StoreError(cannot: "read", file, error)
        }
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
        return content
    }

    /// Replaces the document: the new one is written beside it, synced and renamed over it, and the folder is synced. The
    /// folder is made where it is not there.
    ///
    /// - Parameters:
    ///   - generation: that of the document which is replaced; 0 where there is none.
    ///   - content: what is written, with the generation that the document is to have.
    /// - Throws: ``StoreError`` with the code `conflict` where the stored document is of another generation.
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

    /// The generation of the stored document; 0 where there is none.
    ///
    /// - Throws: ``StoreError`` where the document is damaged or newer.
    private func newestGeneration() throws(StoreError) -> UInt64 {
        if let generation = generationOfWholeDocument() { return generation }
        return try load()?.generation ?? 0
    }

    /// The generation of a document that this version wrote, by its first and last bytes: with thousands of ports the rest
    /// takes as long to parse as all else that a command does. Nil where these bytes do not say it.
    ///
    /// Keys are written in order. So `generation` comes first, and `schema` either follows it or comes last; and only the
    /// outermost brace begins a line, so that it says that the document is whole.
    func generationOfWholeDocument() -> UInt64? {
        guard
            let (head, tail) = try? file.openRegularFile().closeAfterReadingEnds(),
            tail.hasSuffix("\n}\n"), let match = head.prefixMatch(of: /\{\s*"generation"\s*:\s*([0-9]+),/),
            let schema = head[match.range.upperBound...].prefixMatch(of: /\s*"schema"\s*:\s*([0-9]+),/)
                ?? tail.firstMatch(of: /,\s*"schema"\s*:\s*([0-9]+)\s*\}\n$/),
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
            "\(path(context)) \(context.debugDescription)"
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

/// A document that is parsed once, though its layout must be known before the rest is read.
private struct Versioned<Content: DocumentContent>: Decodable {
    var schema: Int
    /// Nil where the layout is a newer one.
    var content: Content?

    private enum CodingKeys: String, CodingKey { case schema }

    init(from decoder: any Decoder) throws {
        schema = try decoder.container(keyedBy: CodingKeys.self).decode(Int.self, forKey: .schema)
        content = schema <= Content.newestSchema ? try Content(from: decoder) : nil
    }
}

extension FileDescriptor {
    /// The first bytes and the last, as text; closed after that.
    fileprivate func closeAfterReadingEnds() throws -> (head: String, tail: String) {
        try closeAfter {
            let length = try seek(offset: 0, from: .end)
            return (try text(from: 0, count: 96), try text(from: max(0, length - 48), count: 48))
        }
    }

    private func text(from offset: Int64, count: Int) throws -> String {
        let bytes = try [UInt8](unsafeUninitializedCapacity: count) { buffer, read in
            read = try self.read(fromAbsoluteOffset: offset, into: UnsafeMutableRawBufferPointer(buffer))
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
