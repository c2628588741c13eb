import SystemPackage

/// Why a document could not be read or written. The stored document is unchanged.
public struct StoreError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The kind of failure.
    public enum Code: Hashable, Sendable {
        /// The document is truncated, is not JSON, or lacks a part.
        case corrupt
        /// A newer version wrote the document.
        case newerSchema
        /// Another writer wrote the document in between.
        case conflict
        /// The file or folder cannot be read or written for lack of permission.
        case notPermitted
        /// The file or folder cannot be read or written.
        case inaccessible
    }

    /// The kind of failure.
    public var code: Code
    /// The fault, and the remedy.
    public var description: String

    /// An error with its description.
    public init(code: Code, description: String) {
        self.code = code
        self.description = description
    }

    /// An error about a file that could not be used: "cannot read …".
    init(cannot verb: String, _ path: FilePath, _ error: any Error) {
        let code: Code =
            [Errno.permissionDenied, .notPermitted].contains(error as? Errno) ? .notPermitted : .inaccessible
        let hint = code == .notPermitted ? "; run it as root, with sudo" : ""
        self.init(code: code, description: "cannot \(verb) \(path): \(error)\(hint)")
    }
}
