import MeshKit
import Testing

/// When the agent runs the next pass, by a clock of the test's own.
@Suite struct PassScheduleTests {
    /// A schedule, and the time, in milliseconds since the agent began.
    private struct Day {
        let start = ContinuousClock.now
        var schedule: PassSchedule
        var milliseconds = 0

        init() { schedule = PassSchedule(at: start) }

        var now: ContinuousClock.Instant { start + .milliseconds(milliseconds) }
        /// When the next pass is due.
        var due: Int { Int((schedule.due - start) / .milliseconds(1)) }

        mutating func take(_ news: AgentNews, at time: Int) {
            milliseconds = time
            schedule.take(news, at: now)
        }

        /// Runs the pass that is due.
        mutating func pass(
            _ ending: PassSchedule.Ending = .good(didChange: false, wake: nil), lasting duration: Int = 10,
            meanwhile news: AgentNews = AgentNews()
        ) {
            milliseconds = max(milliseconds, due)
            schedule.begin(at: now)
            milliseconds += duration
            schedule.end(ending, news, at: now)
        }
    }

    private static let changed = PassSchedule.Ending.good(didChange: true, wake: nil)
    private static let kernel = AgentNews(places: [.node])
    private static let documents = AgentNews(documents: true)

    @Test func theFirstPassIsDueAtOnceAndTheNextAfterThePeriod() {
        var day = Day()
        #expect(day.due == 0 && day.schedule.cause == .start)
        day.pass()
        #expect(day.due == 2010 && day.schedule.cause == .period && day.schedule.interest == .everything)
        day.pass()
        #expect(day.due == 4020)
    }

    @Test(arguments: [(kernel, PassSchedule.Cause.kernel([.node])), (documents, .documents)])
    func aBurstMakesOnePassSoonAfterItsBeginning(news: AgentNews, cause: PassSchedule.Cause) {
        var day = Day()
        day.pass()
        day.take(news, at: 500)
        #expect(day.due == 520 && day.schedule.cause == cause && day.schedule.interest != .everything)
        for time in 501...519 { day.take(news, at: time) }
        #expect(day.due == 520)
    }

    @Test func newsShortlyBeforeThePeriodPutNothingOff() {
        var day = Day()
        day.pass()
        day.take(Self.kernel, at: 2005)
        #expect(day.due == 2010)
    }

    /// What the kernel tells of during a pass may be the pass's own doing: one more pass looks, and then there is rest.
    @Test func aPassThatChangedSomethingIsFollowedByOneMore() {
        var day = Day()
        day.pass(Self.changed, meanwhile: Self.kernel)
        #expect(day.due == 110 && day.schedule.cause == .kernel([.node]))
        day.pass()
        #expect(day.due == 2120 && day.schedule.cause == .period)
    }

    /// A pass that wrote nothing is not what the kernel told of.
    @Test func aChangeDuringAPassThatWroteNothingIsLookedAtSoon() {
        var day = Day()
        day.pass(meanwhile: Self.kernel)
        #expect(day.due == 30)
        day.pass(meanwhile: Self.documents)
        #expect(day.due == 60 && day.schedule.cause == .documents)
    }

    @Test func aRetiringPathIsLookedAtWhenItIsDue() {
        var day = Day()
        day.pass(.good(didChange: true, wake: .seconds(1)))
        #expect(day.due == 1010 && day.schedule.cause == .retiring && day.schedule.interest == .everything)
        day.pass(.good(didChange: true, wake: .zero))
        #expect(day.due == 1040)
        day.pass(.good(didChange: true, wake: .seconds(9)))
        #expect(day.due == 1050 + 2000 && day.schedule.cause == .period)
    }

    @Test func theStepOfASlowStartIsTakenWhenItIsDue() {
        var day = Day()
        day.pass(.good(didChange: true, wake: .milliseconds(400), for: .slowStart))
        #expect(day.due == 410 && day.schedule.cause == .slowStart && day.schedule.interest == .everything)
        day.pass(.good(didChange: true, wake: .seconds(9), for: .slowStart))
        #expect(day.schedule.cause == .period)
    }

    /// 0.25 s, 0.5 s, 1 s, 2 s, 4 s, and then every 8 s.
    @Test func theWaitAfterFailuresDoublesUpToALimit() {
        var day = Day()
        for wait in [250, 500, 1000, 2000, 4000, 8000, 8000, 8000] {
            day.pass(.failed, meanwhile: Self.kernel)
            #expect(
                day.due - day.milliseconds == wait && day.schedule.cause == .retry
                    && day.schedule.interest == .everything)
        }
        #expect(day.schedule.failures == 8)
        day.pass()
        #expect(day.schedule.failures == 0 && day.due - day.milliseconds == 2000)
        day.pass(.failed)
        #expect(day.due - day.milliseconds == 250)
    }

    @Test func newsHastenThePassAfterAFailure() {
        var day = Day()
        for _ in 1...6 { day.pass(.failed) }
        let (due, now) = (day.due, day.milliseconds)
        #expect(due == now + 8000)
        day.take(Self.kernel, at: now + 1000)
        #expect(day.due == now + 1250 && day.schedule.failures == 6)
        day.take(Self.documents, at: now + 1001)
        #expect(day.due == now + 1021 && day.schedule.failures == 0)
    }

    @Test func documentsDuringAFailureAreLookedAtSoon() {
        var day = Day()
        day.pass(.failed, meanwhile: Self.documents)
        #expect(day.due == 30 && day.schedule.cause == .documents)
    }

    /// 5 s, 10 s, 20 s and so on, and then every ten minutes.
    @Test func aRefusedPlaceIsTriedAgainNowAndThen() {
        var day = Day()
        var tries: [Int] = []
        while day.milliseconds < 3_600_000 {
            day.pass(.good(didChange: false, wake: nil, lacksPlaces: true), lasting: 0)
            if day.schedule.retriesPlaces { tries.append(day.milliseconds / 1000) }
        }
        let waits = zip(tries, tries.dropFirst()).map { $1 - $0 }
        #expect(tries.first == 6 && waits.prefix(7) == [10, 20, 40, 80, 160, 320, 600])
        #expect(waits.dropFirst(7).allSatisfy { $0 == 600 } && waits.count >= 8)
        day.pass()
        day.pass()
        #expect(!day.schedule.retriesPlaces)
    }

    /// A kernel that tells of something all the time takes an eighth of the time in the long run, and a fight with another
    /// program half of it. Even then the longest wait is the period.
    @Test(arguments: [5, 50, 500], [(Self.changed, 2), (.good(didChange: false, wake: nil), 8), (.failed, 8)])
    func noiseTakesAPartOfTheTime(duration: Int, fight: (ending: PassSchedule.Ending, share: Int)) {
        var day = Day()
        var (passed, longest) = (0, 0)
        while day.milliseconds < 600_000 {
            let before = day.milliseconds
            day.take(Self.kernel, at: before + 1)
            day.pass(fight.ending, lasting: duration, meanwhile: Self.kernel)
            longest = max(longest, day.milliseconds - duration - before)
            passed += duration
        }
        // What was saved up at the beginning, and the passes that are due by the period.
        let saved = 10_000 * 8 / fight.share
        #expect(passed <= 600_000 / fight.share + saved + duration * 301, "\(passed)")
        #expect(longest <= (fight.ending == .failed ? 8000 : 2000), "\(longest)")
    }

    /// A pass that the kernel asks for waits until there is time for it. Requests do not wait for that.
    @Test(arguments: [documents, AgentNews(tasks: true)]) func requestsDoNotWaitForTheKernel(news: AgentNews) {
        var day = Day()
        day.pass()
        for _ in 0..<200 { day.pass(lasting: 100, meanwhile: Self.kernel) }
        let now = day.milliseconds + 1
        #expect(day.due > now + 500 && day.schedule.interest == .requests)
        day.take(news, at: now)
        #expect(day.due == now + 20 && day.schedule.interest == .nothing)
    }

    /// A change every 200 ms for ten minutes: each is looked at at once.
    @Test func changesThatCostLittleAreAllLookedAtSoon() {
        var day = Day()
        day.pass()
        for number in 1...3000 {
            let time = max(number * 200, day.milliseconds)
            day.take(Self.kernel, at: time)
            #expect(day.due == time + 20)
            day.pass(Self.changed, lasting: 25, meanwhile: Self.kernel)
            day.pass(lasting: 15)
        }
    }
}
