public import MeshKit
import Netlink
import SystemPackage

/// Probes tasks by sockets in the namespace of their balancer.
public struct SocketProber: HealthProber {
    /// A prober.
    public init() {}

    /// Probes tasks from a namespace, all at the same time.
    public func probe(_ probes: [HealthProbe], from site: ProbeSite) async -> [HealthProbe: HealthAnswer] {
        let opened: [HealthProbe: Opened]
        do {
            // Sockets belong to the namespace of the thread that makes them, whoever uses them then.
            opened = try await DetachedThread.run(in: site.namespace) { ProbeSockets.open(probes) }
        } catch {
            let unknown = HealthAnswer.unknown("the namespace cannot be entered: \(error)")
            return Dictionary(uniqueKeysWithValues: probes.map { ($0, unknown) })
        }
        return await withTaskGroup(of: (HealthProbe, HealthAnswer).self) { group in
            for (probe, opened) in opened {
                group.addTask {
                    switch opened {
                    case .answered(let answer): (probe, answer)
                    case .connected(let socket, let left):
                        (probe, await HTTPProbe.answer(probe, on: socket, within: left))
                    }
                }
            }
            return await group.reduce(into: [:]) { $0[$1.0] = $1.1 }
        }
    }

    /// How far a probe has come.
    enum Opened: Sendable {
        case answered(HealthAnswer)
        /// Connected, for a request by HTTP, and how long that may take.
        case connected(FileDescriptor, left: Duration)
    }
}
