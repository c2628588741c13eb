import IPVSKit
import TestSupport
import Testing

@testable import MeshKit

/// Three nodes whose meshes are edited, exported and applied by chance: no edit is lost without a refusal, and nothing is
/// refused unless an edit would be lost.
@Suite struct EditHistoriesTests {
    /// The mesh of a node, or a file that was exported from it.
    private struct Copy {
        var spec = MeshSpec()
        /// The edits that the mesh has seen, by numbers of the test's own: those that were made in it, in the meshes from
        /// which it was made, and in those that were discarded by force.
        var seen: Set<Int> = []
    }

    /// How often something happened.
    private struct Tally {
        var taken = 0
        var refused = 0
        var forced = 0
        var joined = 0
    }

    @Test func noEditIsLostWithoutARefusal() throws {
        var random = SeededGenerator.announced()
        var tally = Tally()
        for _ in 0..<60 { try history(of: 50, &random, &tally) }
        #expect(tally.taken > 50 && tally.refused > 50 && tally.forced > 50 && tally.joined > 10, "\(tally)")
    }

    private func history(of length: Int, _ random: inout SeededGenerator, _ tally: inout Tally) throws {
        var nodes = [Copy(), Copy(), Copy()]
        var files: [Copy] = []
        var edits = 0
        for step in 0..<length {
            let here = Int.random(in: 0..<3, using: &random)
            switch Int.random(in: 0..<8, using: &random) {
            case 0, 1:
                edits += 1
                nodes[here].seen.insert(edits)
                // Few enough that two nodes make the same mesh by different edits now and then.
                let name = "s\(Int.random(in: 0..<3, using: &random))"
                if nodes[here].spec.services[name] != nil {
                    nodes[here].spec.services[name] = nil
                } else {
                    try nodes[here].spec.addTask(SpecTask(address: "10.9.0.9"), service: name)
                }
                nodes[here].spec.version.count(on: "node\(here)")
            case 2: files.append(nodes[here])
            default:
                let isOld = !files.isEmpty && Int.random(in: 0..<3, using: &random) == 0
                let file = isOld ? files.randomElement(using: &random)! : nodes[Int.random(in: 0..<3, using: &random)]
                let forces = Int.random(in: 0..<8, using: &random) == 0
                let isEdit = try apply(file, to: &nodes[here], "node\(here)", forces, "step \(step)", &tally)
                guard isEdit else { continue }
                edits += 1
                nodes[here].seen.insert(edits)
            }
        }
    }

    /// - Returns: whether this was an edit of the node.
    private func apply(
        _ file: Copy, to node: inout Copy, _ name: String, _ forces: Bool, _ step: String, _ tally: inout Tally
    ) throws -> Bool {
        let knowsAll = node.seen.isSubset(of: file.seen)
        let isSame = node.spec.services == file.spec.services
        var context = ApplyContext(node: name)
        context.forces = forces
        let before = node
        do throws(InputError) {
            node.spec = try node.spec.applying(try MeshFile(yaml: file.spec.yaml, name: "mesh.yaml"), in: context)
        } catch {
            #expect(!forces && !knowsAll, "\(step): refused although no edit would be lost: \(error)")
            #expect(error.description.contains("--force"))
            tally.refused += 1
            return false
        }
        #expect(node.spec.services == file.spec.services, "\(step)")
        #expect(forces || knowsAll || isSame, "\(step): edits \(before.seen.subtracting(file.seen)) are lost")
        if file.seen == before.seen { #expect(isSame, "\(step)") }
        node.seen.formUnion(file.seen)
        if forces { tally.forced += 1 } else if knowsAll { tally.taken += 1 } else { tally.joined += 1 }
        // What was discarded by force is not to come back, so the result is newer than both.
        let joined = before.spec.version.joined(with: file.spec.version)
        if !isSame, !knowsAll {
            #expect(node.spec.version.order(against: joined) == .newer, "\(step)")
            return true
        }
        #expect(node.spec.version == joined, "\(step)")
        return false
    }
}
