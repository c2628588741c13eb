/// Writes a rule of nftables approximately as `nft list` does. It is meant for people who look for the rule, not for
/// nft.
enum NFTText {
    /// - Parameter extensions: the matches and targets of iptables in the rule, in words of iptables.
    static func rule(_ statements: [JSONValue], _ extensions: [[String]] = []) -> String {
        var extensions = extensions[...]
        return statements.compactMap(\.only).compactMap { name, value in
            if name == "xt", let words = extensions.popFirst() { return words.joined(separator: " ") }
            return statement(name, value)
        }.joined(separator: " ")
    }

    private static func statement(_ name: String, _ value: JSONValue) -> String? {
        switch name {
        case "match":
            let op = value["op"]?.string ?? ""
            let isPlain = op == "in" || op == "==" && value["left"]?["&"] == nil
            let words = [value["left"].map(expression), isPlain ? nil : op, value["right"].map(expression)]
            return words.compactMap { $0 }.joined(separator: " ")
        case "vmap":
            return "\(value["key"].map(expression) ?? "") vmap \(value["data"].map(expression) ?? "")"
        case "jump", "goto": return "\(name) \(value["target"]?.string ?? "")"
        case "limit": return "limit rate \(value["rate"]?.number ?? 0)/\(value["per"]?.string ?? "second")"
        case "dnat", "redirect", "tproxy": return translation(name, value)
        case "xt": return "xt \(value["type"]?.string ?? "") \(value["name"]?.string ?? "")"
        case "mangle":
            let (key, new) = (value["key"].map(expression) ?? "", value["value"].map(expression) ?? "")
            return "\(key == "mark" ? "meta mark" : key) set \(new)"
        case "flow": return "flow add \(value["flowtable"].map(expression) ?? "")"
        case "counter", "comment": return nil
        default: return name
        }
    }

    /// The destination of a translation in words.
    static func destination(_ name: String, _ value: JSONValue) -> String {
        let port = value["port"].map(expression)
        switch (value["addr"].map(expression), port) {
        case (let address?, let port?): return address.contains(":") ? "[\(address)]:\(port)" : "\(address):\(port)"
        case (let address?, nil): return address
        case (nil, let port?): return name == "dnat" ? ":\(port)" : "port \(port) of this node"
        case (nil, nil): return "this node"
        }
    }

    /// The destination in an element of a map: an address, or an address and a port.
    static func destination(_ name: String, mappedTo value: JSONValue) -> String {
        guard let parts = value["concat"]?.array, parts.count == 2 else {
            return destination(name, .object(["addr": value]))
        }
        return destination(name, .object(["addr": parts[0], "port": parts[1]]))
    }

    private static func translation(_ name: String, _ value: JSONValue) -> String {
        switch (value["addr"], value["port"]) {
        case (nil, nil): name
        case (nil, let port?): "\(name) to :\(expression(port))"
        default: "\(name) to \(destination(name, value))"
        }
    }

    static func expression(_ value: JSONValue) -> String {
        switch value {
        case .null: return ""
        case .bool(let flag): return flag ? "exists" : "missing"
        case .number(let number): return "\(number)"
        case .string(let text): return text
        case .array(let list): return list.map(expression).joined(separator: ",")
        case .object(let members):
            guard let (name, details) = value.only else { return members.keys.sorted().joined(separator: " ") }
            return expression(name, details)
        }
    }

    private static func expression(_ name: String, _ value: JSONValue) -> String {
        func joined(_ separator: String) -> String {
            (value.array ?? [value]).map(expression).joined(separator: separator)
        }
        switch name {
        case "payload":
            if let base = value["base"]?.string {
                return "@\(base),\(value["offset"]?.number ?? 0),\(value["len"]?.number ?? 0)"
            }
            return "\(value["protocol"]?.string ?? "") \(value["field"]?.string ?? "")"
        case "meta":
            let key = value["key"]?.string ?? ""
            return ["iif", "iifname", "oif", "oifname", "mark", "pkttype"].contains(key) ? key : "meta \(key)"
        case "ct": return "ct \(value["key"]?.string ?? "")"
        case "fib":
            return "fib \((value["flags"]?.array ?? []).map(expression).joined(separator: " . ")) "
                + (value["result"]?.string ?? "")
        case "set": return "{ \((value.array ?? [value]).map(element).joined(separator: ", ")) }"
        case "range": return joined("-")
        case "prefix": return "\(value["addr"].map(expression) ?? "")/\(value["len"].map(expression) ?? "")"
        case "concat": return joined(" . ")
        case "&", "|", "^": return joined(" \(name) ")
        case "map": return "\(value["key"].map(expression) ?? "") map \(value["data"].map(expression) ?? "")"
        case "elem": return value["val"].map(expression) ?? ""
        case "jump", "goto": return "\(name) \(value["target"]?.string ?? "")"
        default: return name
        }
    }

    /// An element of a set, or a key and its value in a map.
    private static func element(_ value: JSONValue) -> String {
        guard let pair = value.array, pair.count == 2 else { return expression(value) }
        return "\(expression(pair[0])) : \(expression(pair[1]))"
    }
}
