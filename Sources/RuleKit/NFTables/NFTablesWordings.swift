import CNFTables
import Netlink
import SystemPackage

#if canImport(Glibc)
    import Glibc
#endif

/// How this version of nftables lists our rules. Versions list the same rules in different words, so our rules are
/// loaded into a scratch namespace and listed there.
///
/// Creating and deleting a namespace costs more than everything else that reading does, and the listing stays the same
/// until the library or the kernel changes. So it is kept: in memory for the process, and in a file for later
/// processes.
struct NFTablesWordings: Sendable {
    /// Nil to keep listings in memory only.
    private let file: CacheFile<Document>?

    /// The listings, by the text of our rules.
    private static let known = Locked<[String: NFTablesListing]>([:])
    /// How many namespaces were created for each text of our rules; for tests.
    static let made = Locked<[String: Int]>([:])

    init(cache: FilePath?) { file = cache.map { CacheFile($0.appending("nft-wordings.json")) } }

    /// Nil if the listing cannot be made.
    func listing(of text: String) async -> NFTablesListing? {
        if let found = Self.known.withLock({ $0[text] }) { return found }
        let listing: NFTablesListing
        if let kept = kept()[text] {
            listing = kept
        } else {
            guard let found = await Self.load(text) else { return nil }
            listing = found
            keep(listing, as: text)
        }
        Self.known.withLock { $0[text] = listing }
        return listing
    }

    private static func load(_ text: String) async -> NFTablesListing? {
        guard let scratch = try? await NamespaceHandle.scratch() else { return nil }
        made.withLock { $0[text, default: 0] += 1 }
        let listing = try? await DetachedThread.run(in: scratch, deadline: .seconds(30)) {
            let isLoaded = (try? NFTablesLibrary.run(text, operation: "load the rules in a scratch namespace")) != nil
            return isLoaded ? (try? NFTablesLibrary.listing()) ?? nil : nil
        }
        return listing ?? nil
    }

    /// Forgets a listing, so that a test starts like a new process.
    static func forget(_ text: String) { known.withLock { $0[text] = nil } }

    // MARK: The file

    private struct Document: Codable {
        var kernel: String
        var library: String
        var listings: [String: NFTablesListing]
    }

    /// The listings of the file. A file that was written under another kernel or library is ignored.
    private func kept() -> [String: NFTablesListing] {
        guard let document = file?.load(), document.kernel == Self.kernel, document.library == Self.library else {
            return [:]
        }
        return document.listings
    }

    /// Adds a listing to the file. If that fails, the next process makes the listing again.
    private func keep(_ listing: NFTablesListing, as text: String) {
        guard let file, let library = Self.library else { return }
        file.replace(
            by: Document(
                kernel: Self.kernel, library: library, listings: kept().merging([text: listing]) { $1 }))
    }

    private static var kernel: String { "\(KernelName.release) \(KernelName.version)" }

    /// The path, size and modification time of the library's file: the library does not report its version.
    private static var library: String? {
        guard let path = CNFTables_library_path() else { return nil }
        var status = stat()
        guard stat(path, &status) == 0 else { return nil }
        return "\(String(cString: path)) \(status.st_size) \(status.st_mtim.tv_sec).\(status.st_mtim.tv_nsec)"
    }
}
