import IPVSKit
import Testing

@testable import MeshKit

/// The namespace of the process, as this host's kernel knows it.
@Suite struct NamespaceIdentityTests {
    @Test func theNamespaceOfTheProcessIsFound() async throws {
        let here = try NamespaceIdentity.ofProcess(try NetworkNamespace.current.open())
        #expect(try await here.whereabouts() != nil)
    }

    /// Nor is an error thrown because processes of others may not be looked into.
    @Test func aNamespaceThatHasEndedIsNotFound() async throws {
        var gone = try NamespaceIdentity.ofProcess(try NetworkNamespace.current.open())
        gone.inode = .max
        #expect(try await gone.whereabouts() == nil)
        gone.bootID = "another"
        #expect(try await gone.whereabouts() == nil)
    }
}
