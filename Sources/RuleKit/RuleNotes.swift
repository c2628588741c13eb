import Netlink
package import SystemPackage

/// What was found of the rules of namespaces, noted for processes that come later. As long as the rules are of the same
/// generation they need not be read again, which takes a program for each family of iptables in each namespace.
///
/// A note is a guess that can be checked: it counts only in the boot, in the namespace and at the generation for which it
/// was made. So the file may be lost, old, or of another machine.
package final class RuleNotes: Sendable {
    private struct Key: Hashable {
        var namespace: UInt64
        var subject: String
    }

    private struct Note: Equatable {
        var generation: UInt32
        var text: String
    }

    private struct State {
        /// Nil until the file has been read.
        var notes: [Key: Note]?
        /// What the file has.
        var saved: [Key: Note] = [:]
        /// The namespaces that were asked for their generation since the last save.
        var met: Set<UInt64> = []
    }

    private let file: CacheFile<Document>?
    private let state = Locked(State())

    /// Notes in a file of a folder, or in memory only.
    package init(in folder: FilePath?) { file = folder.map { CacheFile($0.appending("rules-seen.json")) } }

    func meet(_ moment: RuleMoment) {
        if let namespace = moment.namespace { state.withLock { _ = $0.met.insert(namespace) } }
    }

    func text(of subject: String, at moment: RuleMoment) -> String? {
        guard let namespace = moment.namespace else { return nil }
        return state.withLock { state in
            let note = loaded(&state)[Key(namespace: namespace, subject: subject)]
            return note?.generation == moment.generation ? note?.text : nil
        }
    }

    func put(_ text: String, of subject: String, at moment: RuleMoment) {
        guard let namespace = moment.namespace else { return }
        state.withLock { state in
            _ = loaded(&state)
            state.notes![Key(namespace: namespace, subject: subject)] = Note(
                generation: moment.generation, text: text)
        }
    }

    /// Removes all notes of a namespace.
    func remove(of namespace: UInt64?) {
        state.withLock { state in state.notes = loaded(&state).filter { $0.key.namespace != namespace } }
    }

    /// Saves the notes of the namespaces that were asked for their generation since the last save: others have ended, or
    /// serve no longer.
    package func save() {
        guard let file else { return }
        let document = state.withLock { state -> Document? in
            defer { state.met = [] }
            let kept = loaded(&state).filter { state.met.contains($0.key.namespace) }
            state.notes = kept
            guard kept != state.saved, let boot = Self.boot else { return nil }
            state.saved = kept
            return Document(boot: boot, kept)
        }
        if let document { file.replace(by: document) }
    }

    private func loaded(_ state: inout State) -> [Key: Note] {
        if let notes = state.notes { return notes }
        if let boot = Self.boot, let document = file?.load(), document.boot == boot { state.saved = document.notes }
        state.notes = state.saved
        return state.saved
    }

    /// Nil if it cannot be read: then nothing is taken from the file, and nothing is saved.
    private static var boot: String? { try? ProcFile.text("/proc/sys/kernel/random/boot_id") }

    /// The layout of the file. Many namespaces have the same rules, so each text is there once.
    private struct Document: Codable {
        struct Entry: Codable {
            var namespace: UInt64
            var subject: String
            var generation: UInt32
            var text: Int
        }

        var boot: String
        var texts: [String]
        var entries: [Entry]

        init(boot: String, _ notes: [Key: Note]) {
            self.boot = boot
            texts = []
            entries = []
            var indices: [String: Int] = [:]
            for (key, note) in notes {
                let index = indices[note.text] ?? texts.count
                if index == texts.count { texts.append(note.text) }
                indices[note.text] = index
                entries.append(
                    Entry(namespace: key.namespace, subject: key.subject, generation: note.generation, text: index))
            }
        }

        var notes: [Key: Note] {
            let found = entries.filter { texts.indices.contains($0.text) }.map { entry in
                (
                    Key(namespace: entry.namespace, subject: entry.subject),
                    Note(generation: entry.generation, text: texts[entry.text])
                )
            }
            return Dictionary(found) { $1 }
        }
    }
}
