extension Table {
    /// The table as `ipvsadm -Sn` writes it: one line for each service, followed by one line for each of its destinations,
    /// both in the order of their ids. `ipvsadm -R` restores a table from this text, and ``init(ipvsadm:)`` reads it.
    ///
    /// Two things differ from ipvsadm's own text. Thresholds other than 0 are written, as `-x` and `-y`: `ipvsadm -Sn`
    /// leaves them out, and `ipvsadm -R` takes them. And a value for which ipvsadm has no option gets an option that
    /// ipvsadm refuses (`--forwarding Local`, `--tun-flags 4`, `--47-service`), so that ipvsadm never reads the value as
    /// another one.
    public var ipvsadm: String {
        entries.values.sorted { $0.service.id < $1.service.id }.map(\.ipvsadm).joined(separator: "\n")
    }

    /// Reads a table from lines as `ipvsadm -Sn`, ``ipvsadm`` or a person writes them: `-A` and `-a`, with long or short
    /// options in any order. An option that is missing has ipvsadm's default: weight 1, direct routing (`-g`), the
    /// scheduler `wlc`, and 360 seconds for `-p` without a number. Names of hosts and ports, which `ipvsadm -S` prints
    /// without `-n`, are refused, because each host may resolve them differently.
    ///
    /// This initialiser does not check whether the kernel would accept the table: ``IPVS/perform(_:)`` does. In three
    /// cases `ipvsadm -Sn` and `ipvsadm -R` do not keep the table that the kernel has:
    ///
    /// - `ipvsadm -Sn` prints ``Destination/ForwardingMethod/local`` as `-g`.
    /// - `ipvsadm -Sn` leaves out thresholds.
    /// - `ipvsadm -R` gives a destination with `-g` or `-i` the port of its service. This initialiser keeps the port that
    ///   the line says.
    ///
    /// - Parameter text: the lines; empty lines are skipped.
    /// - Throws: ``TableTextError``, which names the first line that is wrong. A service or a destination that appears
    ///   twice is an error, and so is a destination without its service.
    public init(ipvsadm text: some StringProtocol) throws(TableTextError) {
        self = try TableText(text).table()
    }
}

extension Table.Entry {
    /// The line of the service, followed by one line for each of its destinations in the order of their ids; see
    /// ``Table/ipvsadm``.
    public var ipvsadm: String {
        let option = service.id.option
        let lines = destinations.values.sorted { $0.id < $1.id }.map { "-a \(option) \($0.ipvsadm)" }
        return ([service.ipvsadm] + lines).joined(separator: "\n")
    }
}
