import IPVSKit
import RuleKit
import Testing

@testable import MeshKit

/// The ports that containers ask for.
extension FoundTasksTests {
    @Test mutating func portsFollowTheirLabels() throws {
        take(Self.publishing("a", "172.17.0.2", 1080, to: 80))
        let mark = try #require(spec.services["web"]?.ports.first).mark
        take(Self.publishing("a", "172.17.0.2", 1080, to: 8080))
        #expect(spec.services["web"]?.ports.map(\.target) == [8080])
        #expect(spec.services["web"]?.ports.map(\.mark) == [mark])
        let notes = take(
            Self.publishing("a", "172.17.0.2", 1080, to: 80), Self.publishing("b", "172.17.0.3", 1080, to: 81))
        #expect(
            notes == [
                "container b asks for port 81 behind 1080/tcp, which container a has led to port 80: give both the same label"
            ])
        #expect(spec.services["web"]?.ports.map(\.target) == [80])
        // Without its label the port leaves, and the task stays.
        take(Self.task("a", "172.17.0.2"))
        #expect(spec.services["web"]?.ports == [])
        #expect(addresses() == ["172.17.0.2"])
    }

    /// Two containers without a label of a service are two services.
    @Test mutating func onePortOfTwoServices() {
        var other = Self.publishing("b", "172.17.0.3", 1080, to: 80)
        other.services = ["b"]
        let notes = take(Self.publishing("a", "172.17.0.2", 1080, to: 80), other)
        #expect(notes.count == 1)
        #expect(
            notes[0].hasPrefix(
                "container b asks for 1080/tcp, which container a has published for service web: give both the same label"
            ),
            "\(notes)")
        #expect(spec.services["b"]?.ports == [])
    }

    /// A port that moves to another service does so in one go.
    @Test mutating func aPortMovesBetweenServices() throws {
        take(Self.publishing("a", "172.17.0.2", 1080, to: 80))
        var other = Self.publishing("b", "172.17.0.3", 1080, to: 80)
        other.services = ["other"]
        let notes = take(Self.task("a", "172.17.0.2"), other)
        #expect(notes == [])
        #expect(spec.publisher(of: PortBinding(1080, .tcp))?.name == "other")
    }

    @Test mutating func aPortThatCannotBePublishedHere() throws {
        var context = MeshSpec.FoundContext()
        context.refusedPorts = [PortBinding(1080, .tcp): "1080/tcp is taken"]
        let notes = take(Self.publishing("a", "172.17.0.2", 1080, to: 80), context: context)
        #expect(notes == ["container a asks for 1080/tcp: 1080/tcp is taken"])
        #expect(spec.services["web"]?.ports == [])
        #expect(addresses() == ["172.17.0.2"])
        take(Self.publishing("a", "172.17.0.2", 1080, to: 80))
        #expect(spec.services["web"]?.ports.count == 1)
    }

    /// Whatever the operator does to found parts lasts as long as they do.
    @Test mutating func theOperatorHasTheLastWord() throws {
        take(Self.publishing("a", "172.17.0.2", 1080, to: 80))
        try spec.drain(.address("172.17.0.2"), service: "web")
        try spec.setOptions(PublishOptions(stickySeconds: 60), ofService: "web")
        take(Self.publishing("a", "172.17.0.2", 1080, to: 80))
        #expect(spec.services["web"]?.tasks.first?.isDraining == true)
        #expect(spec.services["web"]?.ports.first?.stickySeconds == 60)
        try spec.publish(PortBinding(1080, .tcp), target: 80, service: "web")
        take()
        #expect(spec.services["web"]?.ports.count == 1, "it is the operator's now")
    }
}
