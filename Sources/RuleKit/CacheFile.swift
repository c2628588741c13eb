import Netlink
import SystemPackage

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif
#if canImport(Glibc)
    import Glibc
#endif

/// A file of findings that can be found again. It may be deleted at any time, and a failure to write it costs only time.
struct CacheFile<Content: Codable & Sendable>: Sendable {
    private let file: FilePath

    init(_ file: FilePath) { self.file = file }

    /// The content; nil if there is no file, or if it is damaged.
    func load() -> Content? {
        (try? ProcFile.text(file)).flatMap { try? JSONDecoder().decode(Content.self, from: Data($0.utf8)) }
    }

    /// Replaces the file as a whole, because other processes may be reading it.
    func replace(by content: Content) {
        let new = FilePath("\(file.string).\(getpid())")
        guard let bytes = try? JSONEncoder().encode(content),
            let descriptor = try? FileDescriptor.open(
                new, .writeOnly, options: [.create, .truncate, .closeOnExec], permissions: [.ownerReadWrite])
        else { return }
        let isWritten = (try? descriptor.closeAfter { try descriptor.writeAll(bytes) }) != nil
        if !isWritten || rename(new.string, file.string) != 0 { unlink(new.string) }
    }
}
