import MeshKit
import SystemPackage

extension Operation {
    /// A warning if the operation gives services a health check that nobody carries out.
    ///
    /// - Parameter socket: where an agent was looked for, and none answers.
    func warning(withoutAgentAt socket: FilePath) -> String? {
        let services = checkedServices
        guard !isDry, !services.isEmpty else { return nil }
        return
            "no agent answers at \(socket), so nobody probes the tasks of \(MeshSpec.listing(services)) until one runs "
            + "(`systemctl start meshctl`)"
    }
}

extension PublishOptions {
    /// Whether the options give the service a health check.
    var setsHealthCheck: Bool {
        if case .some(.some) = healthCheck { true } else { false }
    }
}
