extension Table: LosslessStringConvertible {
    /// The table as `ipvsadm -Sn` writes it: a line for each service, and behind it one for each of its destinations, in
    /// the order of their ids. `ipvsadm -R` makes a table of it, and ``init(ipvsadm:)`` this one.
    ///
    /// It says more than `ipvsadm -Sn`, which leaves out thresholds: `-x` and `-y` are there where they are not 0, and
    /// `ipvsadm -R` takes them. Where ipvsadm has no words for a value, the line has an option that it refuses, rather than
    /// one that it would take for something else: `--forwarding Local`, `--tun-flags 4`, `--47-service`.
    public var description: String {
        entries.values.sorted { $0.service.id < $1.service.id }.map(\.description).joined(separator: "\n")
    }

    /// A table by its lines; nil for what is none. For the reason see ``init(ipvsadm:)``.
    public init?(_ description: String) { try? self.init(ipvsadm: description) }

    /// A table by its lines, as `ipvsadm -Sn`, ``description`` or a person writes them: `-A` and `-a`, long options or
    /// short ones, in any order. What a line does not say is ipvsadm's default: weight 1, direct routing (`-g`), the
    /// scheduler `wlc`, 360 seconds for a `-p` alone. Names of hosts and ports, which `ipvsadm -S` prints without `-n`, are refused: what they stand for
    /// depends on the host that reads them.
    ///
    /// It says what the text says; what a kernel would not take is refused by ``IPVS/perform(_:)``. In two things
    /// `ipvsadm -Sn` does not print what the kernel has: it prints ``Destination/ForwardingMethod/local`` as `-g`, and
    /// leaves out thresholds. One it prints right and `ipvsadm -R` reads otherwise: a destination of `-g` or `-i` whose port
    /// is not the service's gets the service's there, and keeps its own here.
    ///
    /// - Parameter text: lines; empty ones are passed over.
    /// - Throws: which line is wrong, and what is wrong with it. A service or a destination that is there twice is, and so
    ///   is a destination whose service is not there.
    public init(ipvsadm text: some StringProtocol) throws(TableTextError) {
        self = try TableText(text).table()
    }
}

extension Table.Entry: LosslessStringConvertible {
    /// The line of the service, and one for each of its destinations, in the order of their ids; see
    /// ``Table/description``.
    public var description: String {
        let option = service.id.option
        let lines = destinations.values.sorted { $0.id < $1.id }.map { "-a \(option) \($0)" }
        return ([service.description] + lines).joined(separator: "\n")
    }

    /// A service with its destinations by their lines; nil for what is none, or more than one service.
    public init?(_ description: String) {
        guard let table = Table(description), table.entries.count == 1, let entry = table.entries.first else {
            return nil
        }
        self = entry.value
    }
}
