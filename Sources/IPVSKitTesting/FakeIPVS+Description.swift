import IPVSKit

extension FakeIPVS.State {
    /// The table as `ipvsadm -Sn` writes it, which leaves out thresholds.
    var saved: String {
        var lines: [String] = []
        for (id, entry) in sortedServices {
            lines.append(entry.specification.value(id).ipvsadm)
            for status in entry.sortedDestinations {
                lines.append("-a \(id.option) -r \(status.id)\(status.destination.options(thresholds: false))")
            }
        }
        return lines.joined(separator: "\n")
    }
}
