import ArgumentParser
import IPVSKit
import MeshKit
import RuleKit
import SystemPackage

/// The names that exist in the saved mesh, which shells offer to complete a word.
///
/// Only the spec is read, so that it is quick. Whatever is in the way, there are no names and no message: it would be
/// printed into the middle of a line that somebody writes.
enum Existing {
    static let services = names { spec, _ in Array(spec.services.keys) }
    static let nodes = names { spec, _ in Array(spec.nodes.keys) }
    static let networks = names { spec, _ in Array(spec.networks.keys) }
    /// The networks without `ingress`, which every attached task is on.
    static let userNetworks = names { spec, _ in spec.networks.keys.filter { $0 != MeshNetwork.ingress } }
    /// The published ports of the service in the line, or of all.
    static let ports = names { spec, words in
        spec.services(in: words).flatMap(\.ports).map(\.listening.description)
    }
    /// The tasks of the service in the line, or of all.
    static let tasks = names { spec, words in
        spec.services(in: words).flatMap(\.tasks).map(\.address.description)
    }
    static let attachedTasks = names { spec, words in
        spec.services(in: words).flatMap(\.tasks).filter { $0.attachment != nil }.map(\.address.description)
    }
    static let containers = names { spec, words in
        spec.services(in: words).flatMap(\.tasks).compactMap { $0.attachment?.container }
    }

    private static func names(_ names: @escaping @Sendable (MeshSpec, [String]) -> [String]) -> CompletionKind {
        .custom { words, _, _ in
            guard let folder = try? StateOptions.folder(named: folder(in: words)),
                let spec = try? FileSpecStore(directory: folder).read()
            else { return [] }
            return Set(names(spec, words)).sorted()
        }
    }

    /// The state's folder that a line names.
    private static func folder(in words: [String]) -> String? {
        let option = "--state-dir"
        if let word = words.last(where: { $0.hasPrefix(option + "=") }) {
            return String(word.dropFirst(option.count + 1))
        }
        guard let index = words.lastIndex(of: option), index + 1 < words.count else { return nil }
        return words[index + 1]
    }
}

extension MeshSpec {
    /// The services that a line names, or all if it names none.
    fileprivate func services(in words: [String]) -> [Service] {
        let named = words.compactMap { services[$0] }
        return named.isEmpty ? Array(services.values) : named
    }
}
