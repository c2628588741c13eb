/// The network namespace of a task as people write it: a name that `ip netns list` shows, or the path of a file.
package enum NamespaceText {
    /// The path of the file that refers to the namespace.
    package static func path(_ text: String) throws(InputError) -> String {
        guard !text.isEmpty, text.hasPrefix("/") || !text.contains("/"), text != ".", text != ".." else {
            throw InputError("\(text.debugDescription) is neither a name nor a path from the root on")
        }
        return text.hasPrefix("/") ? text : "/run/netns/\(text)"
    }
}
