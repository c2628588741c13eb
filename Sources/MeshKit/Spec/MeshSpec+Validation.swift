import IPVSKit
package import RuleKit

extension MeshSpec {
    package static func validate(serviceName name: String) throws(InputError) {
        try validate(name, as: "service name", atMost: 63)
    }

    static func validate(nodeName name: String) throws(InputError) {
        try validate(name, as: "node name", atMost: 63)
    }

    /// Whether a node can have a name.
    static func isNodeName(_ name: String) -> Bool { (try? validate(nodeName: name)) != nil }

    /// A network's name is part of the names of interfaces and namespaces, which are short.
    package static func validate(networkName name: String) throws(InputError) {
        try validate(name, as: "network name", atMost: 15)
        guard name != "host", name != "node" else {
            throw InputError("\(name) stands for the host's own network: choose another name")
        }
    }

    private static func validate(_ name: String, as kind: String, atMost limit: Int) throws(InputError) {
        let isWellFormed =
            name.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."):
                    true
                default: false
                }
            }
        let startsWell = name.utf8.first.map {
            ![UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_")].contains($0)
        }
        guard isWellFormed, startsWell == true, name.utf8.count <= limit else {
            let shown = name.utf8.count > 80 ? name.prefix(60).debugDescription + "…" : name.debugDescription
            throw InputError(
                "\(shown) is no \(kind): letters, digits, '-', '_' and '.', beginning with a letter or digit, "
                    + "\(limit) characters at most")
        }
    }

    static func validate(weight: UInt32) throws(InputError) {
        guard weight <= UInt32(Int32.max) else { throw InputError("a weight is at most \(Int32.max)") }
    }

    /// The kernel counts connections in 31 bits.
    static func validate(maxConnections count: UInt32) throws(InputError) {
        guard count <= UInt32(Int32.max) else {
            throw InputError("a task has at most \(Int32.max) connections: write a smaller number, or off")
        }
    }

    /// Words as a list: `a`, `a and b`, `a, b and c`; of more than eight, the first ones and the number of the others.
    package static func listing(_ words: [String], by conjunction: String = "and") -> String {
        guard words.count > 8 else {
            return words.count < 2
                ? words.joined()
                : words.dropLast().joined(separator: ", ") + " \(conjunction) " + words.last!
        }
        return words.prefix(7).joined(separator: ", ") + " \(conjunction) \(words.count - 7) others"
    }

    /// A number with its thousands set apart: `65,533`.
    static func text(of number: Int) -> String {
        var groups: [String] = []
        var rest = number
        while rest >= 1000 {
            let digits = String(rest % 1000)
            groups.insert(String(repeating: "0", count: 3 - digits.count) + digits, at: 0)
            rest /= 1000
        }
        return ([String(rest)] + groups).joined(separator: ",")
    }

    package static func validate(_ listening: PortBinding, target: UInt16) throws(InputError) {
        guard Int(target) + listening.ports.count - 1 <= Int(UInt16.max), target != 0 else {
            throw InputError(
                "\(listening) is \(listening.ports.count) ports, and from \(target) on there are fewer: ports end at 65535"
            )
        }
        guard let address = listening.address else { return }
        let fault: String? =
            if address.isLoopback {
                "is the loopback address, which is answered where a port is published for all addresses"
            } else if address.isUnspecified {
                "stands for all addresses: leave it out"
            } else if let ipv4 = address.writtenAsIPv6 {
                "is an IPv4 address written as IPv6: write it as \(ipv4)"
            } else if address.isMulticast || address.isReserved || address.isOfThisNetwork {
                "is no address of a node"
            } else if address.isOfDetour {
                "is meshctl's own, for connections from 127.0.0.1 and ::1"
            } else if address.family == .ipv6, address.isLinkLocal {
                "is of one link only, which a port cannot say"
            } else {
                nil
            }
        if let fault { throw InputError("\(address) \(fault)") }
    }

    static func validate(taskAddress address: IPAddress) throws(InputError) {
        let fault: String? =
            if address.isOfThisNetwork || address.isUnspecified {
                "is no address of a task"
            } else if address.isOfDetour {
                "is meshctl's own, for connections from 127.0.0.1: give the task another address"
            } else if address.isLoopback {
                "is the loopback address: IPVS cannot balance to it. Let the task listen on an address of this node, "
                    + "and add that"
            } else if address.isMulticast {
                "is a multicast address: a task has an address of its own"
            } else if address.isReserved {
                "is reserved or the broadcast address: a task has an address of its own"
            } else if let ipv4 = address.writtenAsIPv6 {
                "is an IPv4 address written as IPv6: write it as \(ipv4)"
            } else if address.family == .ipv6, address.isLinkLocal {
                "is link-local, and says nothing without its link: add a global or unique local address of the task"
            } else {
                nil
            }
        if let fault { throw InputError("\(address) \(fault)") }
    }
}
