import IPVSKit

/// Balances a port over servers:
///
///     balance-port 192.168.5.1 80 10.0.0.11:8080 10.0.0.12:8080
///
/// The program compares the kernel's table with the wanted one, and sends the difference to the kernel: if you run it
/// again with other servers, only the differences are changed. Without servers, it deletes the service.
@main
struct BalancePort {
    static func main() async throws {
        let arguments = CommandLine.arguments.dropFirst()
        let servers = arguments.dropFirst(2).compactMap(server)
        // A mistyped server is an error: ignoring it would remove the server that was meant.
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

    /// Reads `10.0.0.11:8080`; an IPv6 address stands in brackets.
    static func server(_ text: String) -> Destination? {
        guard let colon = text.lastIndex(of: ":"), let port = UInt16(text[text.index(after: colon)...]) else {
            return nil
        }
        let address = IPAddress(String(text[..<colon].filter { $0 != "[" && $0 != "]" }))
        return address.map { Destination($0, port: port) }
    }
}
