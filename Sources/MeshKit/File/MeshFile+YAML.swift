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

extension MeshFile.Service {
    fileprivate init(_ entry: YAMLReader.Entry, _ reader: inout YAMLReader) throws(InputError) {
        let path = SpecPath.service(entry.name)
        reader.note(path, entry.key)
        let fields = try reader.fields(
            entry.value, of: "a service",
            ["scheduler", "balancer", "health", "slow-start", "source", "ports", "tasks", "vips"])
        origin = try fields["source"].map { node throws(InputError) in try reader.origin(node) }
        if let node = fields["scheduler"] {
            reader.note(path("scheduler"), node)
            let names = MeshSpec.listing(Scheduler.publishable.map(\.rawValue), by: "or")
            let scheduler = Scheduler(rawValue: try reader.text(node, "a scheduler"))
            if let fault = scheduler.unsuitability { throw reader.error(node, fault) }
            guard Scheduler.publishable.contains(scheduler) else {
                throw reader.error(node, "there is no scheduler \(scheduler.rawValue.debugDescription): write \(names)")
            }
            self.scheduler = scheduler
        }
        if let node = fields["balancer"] {
            reader.note(path("balancer"), node)
            balancing = try reader.choice(node, "a balancer")
        }
        if let node = fields["health"] {
            let text = try reader.text(node, "a health check, such as http:/healthz, or off")
            let check: HealthCheck? = try reader.placing(node) { () throws(InputError) in
                text == "off" || text == "false" ? nil : try HealthCheck(text)
            }
            healthCheck = .some(check)
        }
        if let node = fields["slow-start"] {
            reader.note(path("slow-start"), node)
            let text = try reader.text(node, "how long tasks start slowly, such as 30s, or off")
            slowStartSeconds = try reader.placing(node) { () throws(InputError) in
                text == "false" ? 0 : try DurationText.seconds(text)
            }
        }
        if let node = fields["ports"] {
            var seen: Set<PortBinding> = []
            for item in try reader.items(node, "a list of ports") {
                let port = try MeshFile.Port(item, of: entry.name, &reader)
                guard seen.insert(port.listening).inserted else {
                    throw reader.error(item, "\(port.listening) is written twice for service \(entry.name)")
                }
                ports.append(port)
            }
        }
        if let node = fields["tasks"] {
            var seen: Set<IPAddress> = []
            for (index, item) in try reader.items(node, "a list of tasks").enumerated() {
                var task = try MeshFile.Task(item, number: index, of: entry.name, &reader)
                task.index = index
                guard task.address.map({ seen.insert($0).inserted }) ?? true else {
                    throw reader.error(item, "task \(task.address!) is written twice for service \(entry.name)")
                }
                tasks.append(task)
            }
        }
        if let node = fields["vips"] {
            for entry in try reader.entries(node, "a mapping of networks and the addresses of the service there") {
                virtualAddresses[entry.name] = try MeshFile.Virtual(entry, path("vips", entry.name), &reader)
            }
        }
    }
}

extension MeshFile.Port {
    fileprivate init(_ item: Yams.Node, of service: String, _ reader: inout YAMLReader) throws(InputError) {
        let example = "the published port and the task's port, as in 1080:80/tcp"
        let fields =
            if case .scalar = item {
                ["publish": item]
            } else {
                try reader.fields(
                    item, of: "a port",
                    ["publish", "mark", "sticky", "allow", "source-ip", "drain", "max-conns", "source"])
            }
        guard let publish = fields["publish"] else { throw reader.error(item, "a port needs publish: \(example)") }
        let text = try reader.text(publish, example)
        let ports = try reader.placing(publish) { () throws(InputError) in
            let ports = try PublishText(text)
            try MeshSpec.validate(ports.listening, target: ports.target)
            return ports
        }
        self.init(listening: ports.listening, target: ports.target)
        let path = SpecPath.port(listening, of: service)
        reader.note(path, publish)
        if let node = fields["mark"] {
            reader.note(path("mark"), node)
            mark = try reader.mark(node)
        }
        if let node = fields["sticky"] {
            let text = try reader.text(node, "a time, such as 10m")
            stickySeconds = try reader.placing(node) { () throws(InputError) in try DurationText.seconds(text) }
        }
        if let node = fields["allow"] {
            var allowed: [IPPrefix] = []
            for item in try reader.items(node, "a list of networks") {
                let network = try reader.prefix(item, "a network, such as 10.0.0.0/8")
                if let fault = network.faultForClients { throw reader.error(item, "\(network) \(fault)") }
                allowed.append(network)
            }
            if let family = listening.address?.family, !allowed.isEmpty,
                !allowed.contains(where: { $0.family == family })
            {
                throw reader.error(node, "\(listening) is of another family than \(allowed[0]): nobody could reach it")
            }
            self.allowed = Array(Set(allowed)).sorted()
        }
        if let node = fields["source-ip"] { sourceIP = try reader.choice(node, "a source address") }
        if let node = fields["drain"] {
            let text = try reader.text(node, "how long connections may go on, such as 5m")
            drain = try reader.placing(node) { () throws(InputError) in try DrainLimit(text) }
        }
        if let node = fields["max-conns"] {
            let what = "the most connections of a task, or off"
            let isOff = ["off", "false"].contains(try reader.text(node, what))
            maxConnections = isOff ? 0 : try reader.number(node, what, in: 1...UInt32(Int32.max))
        }
        origin = try fields["source"].map { node throws(InputError) in try reader.origin(node) }
    }
}

extension MeshFile.Task {
    fileprivate init(
        _ item: Yams.Node, number: Int, of service: String, _ reader: inout YAMLReader
    ) throws(InputError) {
        let fields =
            if case .scalar = item {
                ["address": item]
            } else {
                try reader.fields(
                    item, of: "a task", ["address", "weight", "draining", "unhealthy", "source", "node", "attachment"])
            }
        if let node = fields["address"] {
            let address = try reader.address(node, "the address of the task, such as 10.0.0.11")
            try reader.placing(node) { () throws(InputError) in try MeshSpec.validate(taskAddress: address) }
            self.address = address
        } else if fields["attachment"] == nil {
            throw reader.error(item, "a task needs an address, or an attachment by which it gets one")
        }
        let path = SpecPath.task(address?.description ?? "\(number)", of: service)
        reader.note(path, fields["address"] ?? item)
        if let node = fields["address"] { reader.note(path("address"), node) }
        if let node = fields["weight"] {
            weight = try reader.number(node, "the weight of the task", in: 0...UInt32(Int32.max))
        }
        if let node = fields["draining"] { isDraining = try reader.truth(node, "whether the task drains") }
        if let node = fields["unhealthy"] {
            isUnhealthy = try reader.truth(node, "whether the task's source says that it cannot serve")
        }
        origin = try fields["source"].map { node throws(InputError) in try reader.origin(node) }
        if let node = fields["node"] {
            reader.note(path("node"), node)
            self.node = try reader.text(node, "the name of the task's node")
        }
        if let node = fields["attachment"] {
            attachment = try MeshFile.Attachment(node, at: path("attachment"), &reader)
        }
        if address == nil, let first = attachment?.addresses?[MeshNetwork.ingress]?.first {
            address = first
            reader.rename(path, .task(first.description, of: service))
        }
    }
}

extension MeshFile.Attachment {
    fileprivate init(_ node: Yams.Node, at path: SpecPath, _ reader: inout YAMLReader) throws(InputError) {
        reader.note(path, node)
        let fields = try reader.fields(
            node, of: "an attachment", ["namespace", "inode", "container", "networks", "gateway", "default"])
        let example = "the name of a network namespace, or the path of its file"
        guard let file = fields["namespace"] else {
            throw reader.error(node, "an attachment needs namespace: \(example)")
        }
        reader.note(path("namespace"), file)
        let text = try reader.text(file, example)
        self.init(namespace: try reader.placing(file) { () throws(InputError) in try NamespaceText.path(text) })
        if let node = fields["inode"] {
            reader.note(path("inode"), node)
            inode = try reader.number(node, "an inode", in: 1...UInt64.max)
        }
        if let node = fields["container"] {
            reader.note(path("container"), node)
            let name = try reader.text(node, "the name of a container")
            try reader.placing(node) { () throws(InputError) in try Container.validate(name: name) }
            container = name
        }
        if let node = fields["networks"] {
            if case .sequence = node {
                var names: [String] = []
                for item in try reader.items(node, "a list of networks") {
                    let name = try reader.text(item, "the name of a network")
                    reader.note(path("networks", name), item)
                    names.append(name)
                }
                networks = names
            } else {
                let what = "a list of networks, or a mapping of networks and the task's addresses there"
                let lists = try reader.addresses(node, byNameAt: path("networks"), what)
                guard lists[MeshNetwork.ingress]?.isEmpty == false else {
                    throw reader.error(
                        node, "a task has an address on network ingress: write it, too, or a list of networks alone")
                }
                addresses = lists
            }
        }
        if let node = fields["gateway"] {
            gatewayAddresses = try reader.addresses(node, notedAt: path("gateway"), "an address of the gateway bridge")
        }
        if let node = fields["default"] {
            defaultAddresses = try reader.addresses(node, notedAt: path("default"), "an address of the task")
        }
    }
}

extension MeshFile.Virtual {
    fileprivate init(
        _ entry: YAMLReader.Entry, _ path: SpecPath, _ reader: inout YAMLReader
    ) throws(InputError) {
        reader.note(path, entry.key)
        let fields = try reader.fields(entry.value, of: "an address of a service", ["addresses", "mark"])
        if let node = fields["addresses"] {
            addresses = try reader.addresses(node, notedAt: path, "an address of the service")
        }
        if let node = fields["mark"] {
            reader.note(path("mark"), node)
            mark = try reader.mark(node)
        }
    }
}

extension YAMLReader {
    fileprivate func mark(_ node: Node) throws(InputError) -> FirewallMark {
        FirewallMark(rawValue: try number(node, "a firewall mark", in: 1...UInt32.max))!
    }

    fileprivate func edits(_ node: Node) throws(InputError) -> EditVector {
        var counts: [String: UInt64] = [:]
        for entry in try entries(node, "a mapping of nodes and how many edits each has made") {
            try placing(entry.key) { () throws(InputError) in try MeshSpec.validate(nodeName: entry.name) }
            counts[entry.name] = try number(
                entry.value, "how many edits node \(entry.name) has made", in: 1...MeshSpec.latestGeneration / 2)
        }
        return EditVector(counts)
    }

    fileprivate func origin(_ node: Node) throws(InputError) -> Origin {
        let text = try text(node, "who has found it")
        guard let origin = Origin(text) else {
            throw error(node, "\(text.debugDescription) is no source and node, as in docker@node1")
        }
        return origin
    }

    /// One of the words of an enumeration.
    fileprivate func choice<Choice: RawRepresentable & CaseIterable>(
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
    fileprivate mutating func subnets(
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

    fileprivate mutating func addresses(
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
    fileprivate mutating func addresses(
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
