import IPVSKit
import RuleKit
import Yams

extension MeshFile.Task {
    init(
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
    init(_ node: Yams.Node, at path: SpecPath, _ reader: inout YAMLReader) throws(InputError) {
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
