import Netlink

/// Questions about somebody else's ipset sets that do not read what is in them.
///
/// Works in the namespace of the calling thread.
package enum IPSetQuestions {
    /// What a set holds, as `hash:ip,port`. Nil where it cannot be told.
    package static func type(of set: String) -> String? {
        guard let text = answer("list -terse", set)?.0 else { return nil }
        let prefix = "Type: "
        return text.split(separator: "\n").first { $0.hasPrefix(prefix) }.map { String($0.dropFirst(prefix.count)) }
    }

    /// Whether an element, as `10.0.0.1,tcp:80`, is in a set (`ipset test`). Nil where it cannot be told.
    package static func contains(_ element: String, in set: String) -> Bool? {
        guard let (output, message) = answer("test", set, element) else { return nil }
        let text = output + (message ?? "")
        if text.contains(" is NOT in set ") { return false }
        return text.contains(" is in set ") ? true : nil
    }

    /// Nil for a name that libipset's parser would not read as one word.
    private static func answer(_ words: String...) -> (String, String?)? {
        let isPlain = words.dropFirst().allSatisfy { word in
            !word.isEmpty && !word.contains { $0.isWhitespace || $0 == "\"" || $0 == "'" || $0 == "\\" }
        }
        guard isPlain else { return nil }
        return IPSetLibrary.lock.withLock { _ in IPSetLibrary.output(of: words.joined(separator: " ")) }
    }
}
