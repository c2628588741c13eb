import IPVSKit
import RuleKit
import Yams

extension MeshFile {
    /// Reads a file.
    ///
    /// - Parameters:
    ///   - yaml: the text.
    ///   - name: the name of the file for messages.
    /// - Throws: ``InputError`` with the line and the column of the first fault, and what is expected there.
    public init(yaml: String, name: String) throws(InputError) {
        self.init(name: name)
        var reader = YAMLReader(file: name)
        guard let root = try reader.root(of: yaml) else {
            throw InputError("\(name): the file is empty; `meshctl export` writes one that is complete")
        }
        let sections = try reader.fields(
            root, of: "the file", ["generation", "edits", "nodes", "networks", "services"])
        if let node = sections["generation"] {
            reader.note(SpecPath("generation"), node)
            generation = try reader.number(node, "the generation of the mesh", in: 0...MeshSpec.latestGeneration / 2)
        }
        if let node = sections["edits"] {
            guard generation != nil else {
                throw reader.error(
                    node,
                    "edits say with the generation which mesh the file was exported from: write both, or leave both out "
                        + "of a file that describes parts")
            }
            edits = try reader.edits(node)
        }
        for (name, section) in sections where name != "generation" { reader.note(SpecPath(name), section) }
        if let section = sections["nodes"] {
            nodes = [:]
            for entry in try reader.entries(section, "a mapping of nodes by name") {
                try reader.placing(entry.key) { () throws(InputError) in try MeshSpec.validate(nodeName: entry.name) }
                nodes![entry.name] = try Node(entry, &reader)
            }
        }
        if let section = sections["networks"] {
            networks = [:]
            for entry in try reader.entries(section, "a mapping of networks by name") {
                try reader.placing(entry.key) { () throws(InputError) in
                    try MeshSpec.validate(networkName: entry.name)
                }
                networks![entry.name] = try Network(entry, &reader)
            }
        }
        if let section = sections["services"] {
            services = [:]
            for entry in try reader.entries(section, "a mapping of services by name") {
                try reader.placing(entry.key) { () throws(InputError) in
                    try MeshSpec.validate(serviceName: entry.name)
                }
                services![entry.name] = try Service(entry, &reader)
            }
        }
        positions = reader.positions
    }
}

extension MeshFile.Node {
    fileprivate init(_ entry: YAMLReader.Entry, _ reader: inout YAMLReader) throws(InputError) {
        let path = SpecPath.node(entry.name)
        reader.note(path, entry.key)
        let fields = try reader.fields(entry.value, of: "a node", ["address", "number", "gateway", "zones"])
        if let node = fields["address"] {
            reader.note(path("address"), node)
            let address = try reader.address(node, "an address, such as 192.168.5.1")
            if let fault = address.faultForNode { throw reader.error(node, "\(address) \(fault)") }
            self.address = address
        }
        if let node = fields["number"] {
            reader.note(path("number"), node)
            number = try reader.number(node, "the number of the node", in: MeshNode.numbers)
        }
        if let node = fields["gateway"] {
            gatewaySubnets = try reader.subnets(node, path("gateway"), of: "a gateway bridge")
        }
        if let node = fields["zones"] {
            reader.note(path("zones"), node)
            hasZones = try reader.truth(node, "whether the node has conntrack zones")
        }
    }
}

extension MeshFile.Network {
    fileprivate init(_ entry: YAMLReader.Entry, _ reader: inout YAMLReader) throws(InputError) {
        let path = SpecPath.network(entry.name)
        reader.note(path, entry.key)
        let fields = try reader.fields(entry.value, of: "a network", ["vni", "port", "subnets", "balancers"])
        if let node = fields["vni"] {
            reader.note(path("vni"), node)
            identifier = try reader.number(node, "a VNI", in: 1...MeshNetwork.lastIdentifier)
        }
        if let node = fields["port"] {
            reader.note(path("port"), node)
            port = try reader.number(node, "a UDP port", in: 1...UInt16.max)
        }
        if let node = fields["subnets"] { subnets = try reader.subnets(node, path("subnets"), of: "a network") }
        if let node = fields["balancers"] {
            balancers = try reader.addresses(
                node, byNameAt: path("balancers"), "a mapping of nodes and their balancers")
        }
    }
}
