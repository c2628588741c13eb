import IPVSKit
import Netlink

extension RouteClient {
    /// The source addresses of packets that leave the namespace by default routes which are not the mesh's, one of each
    /// family in which there is such a route, IPv4 first.
    func defaultAddresses() async throws(NetlinkError) -> [IPAddress] {
        let destinations = Self.outside.map(\.bytes)
        let questions =
            destinations.map { RouteQuestion(to: $0) } + destinations.map { RouteQuestion(to: $0, asItStands: false) }
        let answers = try await answers(to: questions)
        var found: [AddressFamily: IPAddress] = [:]
        for (destination, (entry, route)) in zip(
            Self.outside, zip(answers.prefix(destinations.count), answers.suffix(destinations.count)))
        where found[destination.family] == nil {
            guard let entry = entry.entry, !entry.isLocal, entry.prefixLength == 0, entry.origin != LivePlace.origin,
                let source = route.entry?.source.flatMap({ IPAddress(bytes: $0) }),
                // An address that is not valid beyond the link is none by which a client could be answered.
                !source.isLinkLocal, !source.isLoopback, !source.isUnspecified
            else { continue }
            found[destination.family] = source
        }
        return AddressFamily.allCases.compactMap { found[$0] }
    }

    /// The addresses of the outside that are asked about, which documentation alone uses.
    private static let outside: [IPAddress] = [
        "192.0.2.1", "198.51.100.1", "203.0.113.1", "2001:db8::1", "3fff::1",
    ]
}
