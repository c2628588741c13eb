extension PacketWay.Part {
    /// One packet for each group of ports that the table's rules treat alike.
    func packets(toldApartBy table: RuleTable, in rules: HostRules) async -> [Packet] {
        var packet = packet
        packet.interfaces = rules.interfaces
        packet.connectionMark = rules.connectionMark
        var packets = [packet]
        if let ports {
            packets = table.representatives(of: ports).sorted().map { port in
                packet.destinationPort = port
                return packet
            }
        }
        guard let sets = rules.sets else { return packets }
        for index in packets.indices { packets[index].sets = await sets.answers(for: packets[index], in: table) }
        return packets
    }
}
