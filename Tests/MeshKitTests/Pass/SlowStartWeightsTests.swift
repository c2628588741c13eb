import Testing

@testable import MeshKit

/// The arithmetic of a slow start.
@Suite struct SlowStartWeightsTests {
    private static func time(_ seconds: Double) -> BootTime { BootTime(nanoseconds: UInt64(seconds * 1_000_000_000)) }

    @Test func theTimeHasTenParts() {
        let since = Self.time(100)
        func step(_ seconds: Double) -> UInt32? { SlowStart.step(since: since, lasting: 30, at: Self.time(seconds)) }
        #expect(step(100) == 1 && step(102.9) == 1)
        #expect(step(103) == 2 && step(106) == 3)
        #expect(step(127) == 10 && step(129.9) == 10)
        #expect(step(130) == nil && step(5000) == nil)
        #expect(step(99) == 1, "a clock that is read twice may seem to run backwards")
    }

    /// Whoever looks again at the end of a step finds the next one.
    @Test(arguments: [1, 7, 4, 2_000_000] as [UInt32]) func aStepEndsWhereTheNextBegins(seconds: UInt32) {
        let since = Self.time(3)
        for step in 1...SlowStart.steps {
            let end = SlowStart.end(of: step, since: since, lasting: seconds)
            let before = BootTime(nanoseconds: end.nanoseconds - 1)
            #expect(SlowStart.step(since: since, lasting: seconds, at: before) == step)
            let next = step == SlowStart.steps ? nil : step + 1
            #expect(SlowStart.step(since: since, lasting: seconds, at: end) == next)
        }
        #expect(
            SlowStart.end(of: SlowStart.steps, since: since, lasting: seconds)
                == since.advanced(bySeconds: UInt64(seconds)))
    }

    @Test(
        arguments: [
            ([(1, nil), (1, nil)], [1, 1]), ([(1, nil), (1, 1)], [10, 1]), ([(1, nil), (1, 7)], [10, 7]),
            ([(1, nil), (1, 10)], [10, 10]), ([(3, nil), (2, 4)], [30, 8]), ([(0, nil), (0, 1), (1, 2)], [0, 0, 2]),
            ([], []), ([(0, nil)], [0]),
            // Weights that cannot be multiplied any more.
            ([(2_147_483_647, nil), (1, 1)], [2_147_483_647, 1]),
            ([(2_147_483_647, nil), (2_147_483_647, 5)], [2_147_483_647, 1_073_741_823]),
            ([(107_374_182, nil), (107_374_182, 1)], [1_073_741_820, 107_374_182]),
            ([(107_374_183, nil), (107_374_183, 1)], [107_374_183, 10_737_418]),
        ] as [([(UInt32, UInt32?)], [UInt32])])
    func weights(shares: [(UInt32, UInt32?)], weights: [UInt32]) {
        #expect(SlowStart.weights(shares.map { .init(weight: $0.0, step: $0.1) }) == weights)
    }
}
