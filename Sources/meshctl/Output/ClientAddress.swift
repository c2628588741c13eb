import IPVSKit
import MeshKit

/// Whether tasks see the addresses of clients.
enum ClientAddress: String, Encodable {
    case kept, hidden, mixed

    /// Nil if there is no task.
    ///
    /// - Parameters:
    ///   - local: the addresses behind this node.
    ///   - own: the addresses of this node.
    init?(
        _ ports: [PublishedPort], _ tasks: [SpecTask], local: Set<IPAddress>, own: Set<IPAddress>
    ) {
        let isHidden = Set(
            ports.flatMap { port in
                tasks.filter(port.isFor).map { task in
                    // The replies of an attached task find their way back by themselves.
                    if task.attachment != nil { return port.sourceIP == .nat }
                    return port.hidesClient(from: task.address, local: local, own: own)
                }
            })
        switch isHidden {
        case []: return nil
        case [false]: self = .kept
        case [true]: self = .hidden
        default: self = .mixed
        }
    }
}
