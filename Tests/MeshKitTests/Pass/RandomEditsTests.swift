import FakeKernel
import IPVSKit
import RuleKit
import SystemPackage
import Testing

@testable import MeshKit

/// Edits by chance, each of which may be cut off or refused anywhere.
@Suite struct RandomEditsTests {
    /// As many edits as the seed is good for: the last is the one that a failure is told of.
    @Test(arguments: [1, 2, 3, 4] as [UInt64]) func theKernelFollows(seed: UInt64) async throws {
        var random = Random(seed: seed)
        let node = FakeNode()
        var cuts = 0
        var refusals = 0
        for number in 0..<500 {
            let edit = Edit.random(&random)
            let tool: RuleTool? =
                Int.random(in: 0..<10, using: &random) == 0 ? .allCases.randomElement(using: &random) : nil
            switch Int.random(in: 0..<4, using: &random) {
            case 0: node.gate.begin(cutAfter: Int.random(in: 0..<12, using: &random))
            case 1: node.gate.begin(failing: (Int.random(in: 1..<12, using: &random), .noMemory))
            default: node.gate.begin()
            }
            do {
                _ = try await node.mesh(tool: tool).change(edit.act)
            } catch is InputError {
                // What cannot be asked for, as a port that is published already.
            } catch {
                if node.gate.isDead { cuts += 1 } else { refusals += 1 }
            }
            node.gate.begin()
            // What was refused of the detour is tried again by nobody unless told to.
            _ = try await node.mesh().reconcile(retry: true)
            try await node.expectConverged("seed \(seed), edit \(number): \(edit.name)")
        }
        #expect(cuts > 20 && refusals > 20, "\(cuts) cuts and \(refusals) refusals")
        _ = try await node.mesh().reset()
        let left = try #require(try node.ledgers.load())
        #expect(left.places.isEmpty, "\(left.places)")
    }
}

/// SplitMix64: the same numbers for the same seed, everywhere.
struct Random: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}

extension Edit {
    /// One of all kinds of edits, of a few services, ports and tasks, so that they meet.
    static func random(
        _ random: inout Random
    ) -> (name: String, act: @Sendable (inout MeshSpec, MeshView) async throws -> Void) {
        let service = ["a", "b", "c"].randomElement(using: &random)!
        let binding = [
            PortBinding(1080, .tcp), PortBinding(1081, .tcp), PortBinding(5353, .udp), PortBinding(2000...2009, .tcp),
        ].randomElement(using: &random)!
        let target = [80, 81, 3000].randomElement(using: &random)!
        let address = (["10.0.0.11", "10.9.0.12", "10.9.0.13", "fd00::11"] as [IPAddress]).randomElement(
            using: &random)!
        let isLocal = Bool.random(using: &random)
        let weight = UInt32.random(in: 0...2, using: &random)
        let sticky: UInt32? = [nil, 0, 60].randomElement(using: &random)!
        let scheduler: Scheduler? = [nil, .roundRobin, .maglevHashing].randomElement(using: &random)!
        let isDraining = Bool.random(using: &random)
        switch Int.random(in: 0..<12, using: &random) {
        case 0..<4:
            return (
                "publish \(binding) of \(service) to \(target)",
                { spec, view in
                    try spec.publish(
                        binding, target: UInt16(target), service: service,
                        options: .init(scheduler: scheduler, stickySeconds: sticky), avoiding: view.takenMarks)
                }
            )
        case 4..<7:
            return (
                "add \(address) to \(service)",
                { spec, view in
                    try spec.addTask(
                        SpecTask(address: address, weight: weight, node: isLocal ? view.ledger.node : nil),
                        service: service)
                }
            )
        case 7:
            return ("remove \(address) from \(service)", { spec, _ in try spec.removeTask(address, service: service) })
        case 8: return ("unpublish \(binding)", { spec, _ in try spec.unpublish(binding) })
        case 9, 10:
            return (
                "\(isDraining ? "drain" : "undrain") \(address) of \(service)",
                { spec, _ in
                    if isDraining {
                        try spec.drain(.address(address), service: service)
                    } else {
                        try spec.undrain(.address(address), service: service)
                    }
                }
            )
        default: return ("remove \(service)", { spec, _ in try spec.removeService(service) })
        }
    }
}
