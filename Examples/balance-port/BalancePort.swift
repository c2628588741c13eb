import IPVSKit

/// Balances a port over servers until told otherwise:
///
///     balance-port 192.168.5.1 80 10.0.0.11:8080 10.0.0.12:8080
///
/// The whole of it is one table compared with another, and the difference handed to the kernel: run it again
/// with other servers, and only what differs is changed.
@main
struct BalancePort {
    static func main() async throws {
        let arguments = CommandLine.arguments.dropFirst()
        let servers = arguments.dropFirst(2).compactMap(server)
        // A server that is mistyped is none that is to go.
        guard arguments.count >= 2, let address = IPAddress(arguments[1]), let port = UInt16(arguments[2]),
            servers.count == arguments.count - 2
        else {
            print("usage: balance-port ADDRESS PORT [SERVER:PORT]...")
            return
        }

        let ipvs = try IPVS()
        let web = VirtualService.ID.address(address, port: port, protocol: .tcp)

        let found = try await ipvs.table()
        var wanted = found
        wanted[web] =
            servers.isEmpty ? nil : Table.Entry(VirtualService(id: web, scheduler: .roundRobin), destinations: servers)

        let changes = Table.changes(from: found, to: wanted)
        try await ipvs.perform(changes).get()
        for change in changes { print(change) }
    }

    /// `10.0.0.11:8080`, with the address in brackets where it is IPv6.
    static func server(_ text: String) -> Destination? {
        guard let colon = text.lastIndex(of: ":"), let port = UInt16(text[text.index(after: colon)...]) else {
            return nil
        }
        let address = IPAddress(String(text[..<colon].filter { $0 != "[" && $0 != "]" }))
        return address.map { Destination($0, port: port) }
    }
}
