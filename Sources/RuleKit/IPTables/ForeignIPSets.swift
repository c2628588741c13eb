#if canImport(Glibc)
    import Glibc
#endif

/// Somebody else's ipset sets: questions that do not read what is in them.
///
/// They concern the namespace of the process. A question that libipset does not answer in time counts as one that
/// cannot be answered.
package enum ForeignIPSets {
    /// The type of a set, such as `hash:ip,port`. Nil if it cannot be found out.
    package static func type(of set: String) async -> String? {
        guard let text = await answer("list -terse", set)?.0 else { return nil }
        let prefix = "Type: "
        return text.split(separator: "\n").first { $0.hasPrefix(prefix) }.map { String($0.dropFirst(prefix.count)) }
    }

    /// Whether an element, such as `10.0.0.1,tcp:80`, is in a set (`ipset test`). Nil if it cannot be found out.
    package static func contains(_ element: String, in set: String) async -> Bool? {
        guard let (_, message) = await answer("test", set, element) else { return nil }
        guard let message else { return true }
        return message.contains(" is NOT in set ") ? false : nil
    }

    /// The name of the set that a rule in the kernel knows by a number, as `IP_SET_OP_GET_BYINDEX` tells it. Nil if there
    /// is none, or if the kernel does not say. Works in the namespace of the calling thread.
    package static func name(ofIndex index: UInt16) -> String? {
        let descriptor = socket(AF_INET, CInt(SOCK_RAW.rawValue) | CInt(SOCK_CLOEXEC.rawValue), CInt(IPPROTO_RAW))
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        // struct ip_set_req_get_set: the operation, the lowest version of the protocol that is taken, and the number in the
        // place of the name that comes back.
        let nameSize = 32
        var request = [UInt8](repeating: 0, count: 8 + nameSize)
        request.withUnsafeMutableBytes { bytes in
            bytes.storeBytes(of: UInt32(7), as: UInt32.self)
            bytes.storeBytes(of: UInt32(6), toByteOffset: 4, as: UInt32.self)
            bytes.storeBytes(of: index, toByteOffset: 8, as: UInt16.self)
        }
        var size = socklen_t(request.count)
        let socketOption: CInt = 83  // SO_IP_SET
        guard getsockopt(descriptor, CInt(IPPROTO_IP), socketOption, &request, &size) == 0 else { return nil }
        let name = String(decoding: request[8...].prefix { $0 != 0 }, as: UTF8.self)
        return name.isEmpty ? nil : name
    }

    /// Nil if a word contains a character that libipset's parser does not take as part of a word.
    private static func answer(_ words: String...) async -> (String, String?)? {
        let isPlain = words.dropFirst().allSatisfy { word in
            !word.isEmpty && !word.contains { $0.isWhitespace || $0 == "\"" || $0 == "'" || $0 == "\\" }
        }
        guard isPlain else { return nil }
        let command = words.joined(separator: " ")
        // A question without an answer in time counts as one that cannot be answered.
        return try? await IPSetLibrary(namespace: nil).call("ask about an ipset set") {
            let (texts, failure) = IPSetLibrary.outputs(of: [command])
            return (texts.first ?? "", failure)
        }
    }
}
