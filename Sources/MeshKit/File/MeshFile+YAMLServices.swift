import IPVSKit
import RuleKit
import Yams

extension MeshFile.Service {
    init(_ entry: YAMLReader.Entry, _ reader: inout YAMLReader) throws(InputError) {
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
    init(_ item: Yams.Node, of service: String, _ reader: inout YAMLReader) throws(InputError) {
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

extension MeshFile.Virtual {
    init(
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
