import IPVSKit

/// Prints the table with its rates every second, as `ipvsadm -Ln --rate` prints it once:
///
///     live-table
///     live-table --once
///
/// All data come from one call, ``IPVS/status()``.
@main
struct LiveTable {
    static func main() async throws {
        let arguments = CommandLine.arguments.dropFirst()
        guard arguments.isEmpty || arguments == ["--once"] else {
            print("usage: live-table [--once]")
            return
        }
        let ipvs = try IPVS()
        if !arguments.isEmpty {
            print(try await page(of: ipvs), terminator: "")
            return
        }
        while true {
            // Moves the cursor to the top and clears the screen, so that the page stays in place.
            print("\u{1B}[H\u{1B}[2J" + (try await page(of: ipvs)))
            try await Task.sleep(for: .seconds(1))
        }
    }

    static func page(of ipvs: IPVS) async throws -> String {
        let info = try await ipvs.info()
        var page = "IP Virtual Server version \(info.version) (size=\(info.connectionTableSize))\n"
        page += padded("Prot LocalAddress:Port", 33)
        page += ["CPS", "InPPS", "OutPPS", "InBPS", "OutBPS"].map { leftPadded($0, 9) }.joined() + "\n"
        page += "  -> RemoteAddress:Port\n"
        for service in try await ipvs.status().sorted(by: comesFirst) {
            page += row(name(service.id), service.statistics)
            for destination in service.destinations.sorted(by: { $0.id < $1.id }) {
                page += row("  -> \(destination.id)", destination.statistics)
            }
        }
        return page
    }

    static func row(_ name: String, _ rates: Statistics) -> String {
        let numbers = [
            rates.connectionRate, rates.incomingPacketRate, rates.outgoingPacketRate, rates.incomingByteRate,
            rates.outgoingByteRate,
        ]
        return padded(name, 33) + numbers.map { leftPadded(short($0), 9) }.joined() + "\n"
    }

    /// `TCP  10.0.0.1:80`, `FWM  258`.
    static func name(_ id: VirtualService.ID) -> String {
        let words = id.description.split(separator: " ", maxSplits: 1)
        return padded(String(words[0]), 5) + words[1]
    }

    /// Sorts as ipvsadm does: services by address before those by mark, then by family, protocol, address and port.
    static func comesFirst(_ left: VirtualServiceStatus, _ right: VirtualServiceStatus) -> Bool {
        switch (left.id, right.id) {
        case (.address(let a, let p, let t), .address(let b, let q, let u)):
            (a.family, t, a, p) < (b.family, u, b, q)
        default: left.id < right.id
        }
    }

    static func short(_ number: UInt64) -> String {
        switch number {
        case ..<100_000_000: "\(number)"
        case ..<1_000_000_000: "\(number / 1000)K"
        case ..<100_000_000_000: "\(number / 1_000_000)M"
        case ..<100_000_000_000_000: "\(number / 1_000_000_000)G"
        default: "\(number / 1_000_000_000_000)T"
        }
    }

    static func padded(_ text: String, _ width: Int) -> String {
        text + String(repeating: " ", count: max(0, width - text.count))
    }

    static func leftPadded(_ text: String, _ width: Int) -> String {
        String(repeating: " ", count: max(0, width - text.count)) + text
    }
}
