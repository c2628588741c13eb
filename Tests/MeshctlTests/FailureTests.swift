import Testing

@testable import MeshKit
@testable import meshctl

@Suite struct FailureTests {
    /// A newline that is part of a name begins no line: the name may be that of anybody's process.
    @Test func eachFaultIsALine() {
        #expect(Failure(InputError("the program a\nb listens"))?.lines == ["the program a\nb listens"])
        #expect(Failure(InputError(faults: ["x.yaml:1:2: a", "x.yaml:3:4: b"]))?.lines.count == 2)
        #expect(InputError(faults: ["a", "b"]).description == "a\nb")
        #expect(Failure(CancellationError())?.lines.count == 1)
    }
}
