#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif
public import SystemPackage

#if canImport(Glibc)
    import Glibc
#endif

/// Keeps a state between commands.
public protocol StateStore: Sendable {
    /// The newest state; an empty one where none was ever saved.
    func load() throws(StoreError) -> MeshState
    /// Replaces the state, whole or not at all. The state's generation is one more than the one it replaces;
    /// fails where that is no longer the newest.
    func save(_ state: MeshState) throws(StoreError)
}

/// The state as one JSON document in a folder, replaced atomically.
public struct FileStore: StateStore {
    /// The folder.
    public let directory: FilePath
    /// The document.
    public var file: FilePath { directory.appending("mesh.json") }
    private var temporaryFile: FilePath { directory.appending("mesh.json.new") }

    /// - Parameter directory: made by the first save where it does not exist.
    public init(directory: FilePath) { self.directory = directory }

    /// The newest state; an empty one where none was ever saved.
    public func load() throws(StoreError) -> MeshState {
        let bytes: [UInt8]
        do {
            let descriptor = try FileDescriptor.open(file, .readOnly, options: .closeOnExec)
            bytes = try descriptor.closeAfter { try descriptor.readToEnd() }
        } catch let error {
            if error as? Errno == .noSuchFileOrDirectory { return MeshState() }
            throw inaccessible("read", file, error)
        }
        return try decode(Data(bytes))
    }

    private func decode(_ data: Data) throws(StoreError) -> MeshState {
        let help = "nothing was changed; put a good copy in its place, or move it away to start with an empty mesh"
        do {
            let document = try JSONDecoder().decode(Document.self, from: data)
            guard let state = document.state else {
                throw StoreError(
                    code: .newerSchema,
                    description: "\(file) has schema \(document.schema), and this version of meshctl reads up to "
                        + "\(MeshState.currentSchema): a newer meshctl wrote it; use that one")
            }
            return state
        } catch let error as StoreError {
            throw error
        } catch let error as DecodingError {
            throw StoreError(code: .corrupt, description: "\(file) is damaged: \(Self.describe(error)); \(help)")
        } catch {
            throw StoreError(code: .corrupt, description: "\(file) is damaged: \(error); \(help)")
        }
    }

    /// Parsed once, though its layout must be known before the rest is read.
    private struct Document: Decodable {
        var schema: Int
        /// Nil where the layout is none that can be read.
        var state: MeshState?

        private enum CodingKeys: String, CodingKey { case schema }

        init(from decoder: any Decoder) throws {
            schema = try decoder.container(keyedBy: CodingKeys.self).decode(Int.self, forKey: .schema)
            state = schema <= MeshState.currentSchema ? try MeshState(from: decoder) : nil
        }
    }

    /// Of the newest document. Keys are written in order, so that the first bytes say it, and the last ones that it is
    /// whole: with thousands of ports the rest takes as long to parse as all else that a command does. What somebody has
    /// written otherwise is read as a whole.
    private func newestGeneration() throws(StoreError) -> UInt64 {
        if let (head, tail) = try? FileDescriptor.open(file, .readOnly, options: .closeOnExec).closeAfterReadingEnds(),
            // Of our documents, only the outermost brace begins a line.
            tail.hasSuffix("\n}\n"),
            let number = head.prefixMatch(of: /\{\s*"generation"\s*:\s*([0-9]+),/).flatMap({ UInt64($0.1) })
        {
            return number
        }
        return try load().generation
    }

    private static func describe(_ error: DecodingError) -> String {
        switch error {
        case .keyNotFound(let key, let context): "\(path(context))\(key.stringValue) is missing"
        case .typeMismatch(_, let context), .valueNotFound(_, let context):
            "\(path(context)) \(context.debugDescription)"
        case .dataCorrupted(let context):
            context.codingPath.isEmpty
                ? "it is truncated, or is not JSON" : "\(path(context)) \(context.debugDescription)"
        @unknown default: "\(error)"
        }
    }

    private static func path(_ context: DecodingError.Context) -> String {
        context.codingPath.map { "\($0.intValue.map(String.init) ?? $0.stringValue)." }.joined()
    }

    /// Replaces the document: written beside it, synced, renamed over it, and the folder synced, so that a crash
    /// at any point leaves the old one or the new one.
    public func save(_ state: MeshState) throws(StoreError) {
        guard try newestGeneration() &+ 1 == state.generation else {
            throw StoreError(
                code: .conflict, description: "\(file) was changed by another program meanwhile; try again")
        }
        do {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
            let text = try encoder.encode(state) + [UInt8(ascii: "\n")]

            let new = try FileDescriptor.open(
                temporaryFile, .writeOnly, options: [.create, .truncate, .closeOnExec],
                permissions: [.ownerReadWrite, .groupRead, .otherRead])
            try new.closeAfter {
                _ = try new.writeAll(text)
                try sync(new)
            }
            let renamed = temporaryFile.withPlatformString { from in file.withPlatformString { rename(from, $0) } }
            guard renamed == 0 else { throw Errno(rawValue: errno) }
            let folder = try FileDescriptor.open(directory, .readOnly, options: [.directory, .closeOnExec])
            try folder.closeAfter { try sync(folder) }
        } catch {
            _ = temporaryFile.withPlatformString { unlink($0) }
            throw inaccessible("write", file, error)
        }
    }

    private func sync(_ descriptor: FileDescriptor) throws(Errno) {
        guard fsync(descriptor.rawValue) == 0 else { throw Errno(rawValue: errno) }
    }

    func inaccessible(_ verb: String, _ path: FilePath, _ error: any Error) -> StoreError {
        StoreError(cannot: verb, path, error)
    }
}

extension FileDescriptor {
    /// The first bytes and the last, as text; closed after that.
    fileprivate func closeAfterReadingEnds() throws -> (head: String, tail: String) {
        try closeAfter {
            let length = try seek(offset: 0, from: .end)
            return (try text(from: 0, count: 64), try text(from: max(0, length - 3), count: 3))
        }
    }

    private func text(from offset: Int64, count: Int) throws -> String {
        let bytes = try [UInt8](unsafeUninitializedCapacity: count) { buffer, read in
            read = try self.read(fromAbsoluteOffset: offset, into: UnsafeMutableRawBufferPointer(buffer))
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
