import Netlink

/// Questions about ipset sets of other programs that need not read the contents of the sets.
///
/// Works in the namespace of the calling thread.
package enum IPSetQuestions {
    /// The type of a set, such as `hash:ip,port`. Nil if it cannot be found out.
    package static func type(of set: String) -> String? {
        guard let text = answer("list -terse", set)?.0 else { return nil }
        let prefix = "Type: "
        return text.split(separator: "\n").first { $0.hasPrefix(prefix) }.map { String($0.dropFirst(prefix.count)) }
    }

    /// Whether an element, such as `10.0.0.1,tcp:80`, is in a set (`ipset test`). Nil if it cannot be found out.
    package static func contains(_ element: String, in set: String) -> Bool? {
        guard let (output, message) = answer("test", set, element) else { return nil }
        let text = output + (message ?? "")
        if text.contains(" is NOT in set ") { return false }
        return text.contains(" is in set ") ? true : nil
    }

    /// Nil if a word contains a character that libipset's parser does not take as part of a word.
    private static func answer(_ words: String...) -> (String, String?)? {
        let isPlain = words.dropFirst().allSatisfy { word in
            !word.isEmpty && !word.contains { $0.isWhitespace || $0 == "\"" || $0 == "'" || $0 == "\\" }
        }
        guard isPlain else { return nil }
        return IPSetLibrary.lock.withLock { _ in IPSetLibrary.output(of: words.joined(separator: " ")) }
    }
}
