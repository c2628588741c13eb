import Testing

@testable import Containers

/// In which order containers are looked at, and which answers count.
@Suite struct LookQueueTests {
    private var queue = LookQueue()

    private mutating func begin() -> [String] {
        var begun: [String] = []
        while let id = queue.begin() { begun.append(id) }
        return begun
    }

    private mutating func end(_ id: String) -> Bool { queue.end(id) }

    @Test mutating func newContainersComeFirstAndFaultyOnesLast() {
        queue.add("faulty", .last)
        queue.add("a", .usual)
        queue.add("b", .usual)
        queue.add("new", .first)
        queue.add("b", .first)
        queue.add("a", .last)
        #expect(begin() == ["new", "b", "a", "faulty"])
    }

    /// Containers on which the engine hangs do not keep others waiting.
    @Test mutating func someAtATime() {
        for number in 1...20 { queue.add("faulty\(number)", .last) }
        #expect(begin() == ["faulty1", "faulty2", "faulty3", "faulty4"])
        for number in 1...5 { queue.add("\(number)", .usual) }
        #expect(begin() == ["1", "2", "3", "4"])
        #expect(end("faulty2") == true)
        #expect(begin() == ["5"])
        #expect(end("1") == true)
        #expect(begin() == ["faulty5"])
    }

    @Test mutating func whatHappensDuringALook() {
        queue.add("a", .usual)
        queue.add("b", .usual)
        queue.drop("b")
        #expect(begin() == ["a"])
        // Something has changed: the answer is better than nothing, and another look follows.
        queue.add("a", .last)
        queue.add("a", .usual)
        #expect(end("a") == true)
        #expect(begin() == ["a"])
        // It has ended: the answer is that of a container that there is not any more.
        queue.add("a", .usual)
        queue.drop("a")
        #expect(end("a") == false)
        #expect(begin() == [])
        queue.add("a", .usual)
        #expect(begin() == ["a"])
        queue.drop("a")
        queue.add("a", .first)
        #expect(end("a") == false)
        #expect(begin() == ["a"])
        #expect(end("a") == true)
        #expect(end("a") == false)
    }
}
