import IPVSKit
import RuleKit
import Yams

extension YAMLReader {
    func mark(_ node: Node) throws(InputError) -> FirewallMark {
        FirewallMark(rawValue: try number(node, "a firewall mark", in: 1...UInt32.max))!
    }

    func edits(_ node: Node) throws(InputError) -> EditVector {
        var counts: [String: UInt64] = [:]
        for entry in try entries(node, "a mapping of nodes and how many edits each has made") {
            try placing(entry.key) { () throws(InputError) in try MeshSpec.validate(nodeName: entry.name) }
            counts[entry.name] = try number(
                entry.value, "how many edits node \(entry.name) has made", in: 1...MeshSpec.latestGeneration / 2)
        }
        return EditVector(counts)
    }

    func origin(_ node: Node) throws(InputError) -> Origin {
        let text = try text(node, "who has found it")
        guard let origin = Origin(text) else {
            throw error(node, "\(text.debugDescription) is no source and node, as in docker@node1")
        }
        return origin
    }

    /// One of the words of an enumeration.
    func choice<Choice: RawRepresentable & CaseIterable>(
        _ node: Node, _ what: String
    ) throws(InputError) -> Choice where Choice.RawValue == String {
        let word = try text(node, what)
        guard let choice = Choice(rawValue: word) else {
            let words = MeshSpec.listing(Choice.allCases.map(\.rawValue), by: "or")
            throw error(node, "\(word.debugDescription) is not \(what): write \(words)")
        }
        return choice
    }

    /// Subnets, at most one of each family, IPv4 first.
    mutating func subnets(
        _ node: Node, _ path: SpecPath, of owner: String
    ) throws(InputError) -> [IPPrefix] {
        note(path, node)
        var subnets: [IPPrefix] = []
        for item in try items(node, "a list of subnets") {
            let subnet = try prefix(item, "a subnet, such as 10.0.1.0/24")
            note(path(subnet.description), item)
            subnets.append(subnet)
            try placing(item) { () throws(InputError) in try MeshSpec.validate(subnets: subnets, of: owner) }
        }
        guard !subnets.isEmpty else { throw error(node, "\(owner) needs a subnet; leave the list out for a free one") }
        return subnets.sorted()
    }

    mutating func addresses(
        _ node: Node, notedAt path: SpecPath, _ what: String
    ) throws(InputError) -> [IPAddress] {
        var addresses: [IPAddress] = []
        for item in try items(node, "a list of addresses") {
            let address = try address(item, what)
            note(path(address.description), item)
            addresses.append(address)
        }
        return addresses.sorted()
    }

    /// Lists of addresses by a name.
    mutating func addresses(
        _ node: Node, byNameAt path: SpecPath, _ what: String
    ) throws(InputError) -> [String: [IPAddress]] {
        note(path, node)
        var lists: [String: [IPAddress]] = [:]
        for entry in try entries(node, what) {
            note(path(entry.name), entry.key)
            lists[entry.name] = try addresses(entry.value, notedAt: path(entry.name), "an address, such as 10.255.0.2")
        }
        return lists
    }
}
