import IPVSKit
import Netlink

/// Interfaces of the mesh.
extension LiveKernel {
    package func links(_ ends: [LinkEnd], in place: Place, others: [Place]) async throws -> [String: Reading<
        ObservedLink
    >] {
        try await live(place).links(
            ends, others: others.compactMap { place in (try? live(place)).map { (place, $0) } })
    }

    package func make(_ link: Link, in places: [PlaceID: Place]) async throws {
        var new: [NewInterface] = []
        for end in link.ends {
            new.append(
                NewInterface(
                    name: end.id.name, hardwareAddress: end.hardwareAddress.bytes, group: LivePlace.group,
                    namespace: try live(places[end.id.place]!).handle))
        }
        let names = link.ends.map { "\($0.id)" }.joined(separator: " and ")
        // The kernel makes a VXLAN interface for the namespace of the socket, and here that is the node's.
        let maker = if case .vxlan = link.kind { nodeKernel } else { try live(places[link.ends[0].id.place]!) }
        let interfaces = new
        try await maker.routes.asking("make the \(link.kind) \(names)") { () throws(NetlinkError) in
            switch link.kind {
            case .veth: try await maker.routes.createPair(interfaces[0], interfaces[1])
            case .bridge: try await maker.routes.createBridge(interfaces[0])
            case .vxlan(let settings):
                try await maker.routes.createVXLAN(
                    interfaces[0],
                    VXLANSettings(
                        identifier: settings.identifier, port: settings.port, local: settings.local?.bytes))
            }
        }
    }

    package func setHairpin(_ isOn: Bool, of port: String) async throws { try await bridges.setHairpin(isOn, of: port) }
}
