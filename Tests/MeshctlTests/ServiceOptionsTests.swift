import ArgumentParser
import MeshKit
import Testing

@testable import meshctl

/// What options say, and what they leave as it is.
@Suite struct ServiceOptionsTests {
    private func options(_ arguments: String...) throws -> PublishOptions {
        let command = try ServiceCommand.SetOptions.parse(["web"] + arguments)
        return try command.portOptions.options(with: command.serviceOptions)
    }

    @Test func whatIsNotSaidStays() throws {
        #expect(try options("--drain", "5m") == PublishOptions(drain: .seconds(300)))
        #expect(try options("--scheduler", "wlc").healthCheck == nil)
    }

    @Test func healthChecks() throws {
        #expect(try options("--health", "http:/x").healthCheck == .some(HealthCheck(.http(path: "/x"))))
        #expect(try options("--health", "off").healthCheck == .some(nil))
    }

    @Test func slowStart() throws {
        #expect(try options("--scheduler", "wlc").slowStartSeconds == nil)
        #expect(try options("--slow-start", "2m").slowStartSeconds == 120)
        #expect(try options("--slow-start", "off").slowStartSeconds == 0)
    }
}
