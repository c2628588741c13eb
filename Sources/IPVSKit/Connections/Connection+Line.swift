extension Connection {
    /// Reads a line of `/proc/net/ip_vs_conn` without its newline. Nil if it is not a connection.
    ///
    /// The kernel's side is `ip_vs_conn_seq_show`. An IPv4 address is eight hexadecimal digits, an IPv6 address eight
    /// groups of four digits without shortening, a port four hexadecimal digits, and the seconds are decimal. If there
    /// is a persistence engine, its name follows, and its data as they came from the network.
    init?(line: UnsafeBufferPointer<UInt8>) {
        var fields = LineFields(rest: line[...])
        guard let transport = TransportProtocol(kernelName: fields.next()),
            let client = Endpoint(address: fields.next(), port: fields.next()),
            let virtual = Endpoint(address: fields.next(), port: fields.next()),
            client.address.family == virtual.address.family,
            let destination = Endpoint(address: fields.next(), port: fields.next()),
            case let state = fields.next(), !state.isEmpty,
            let seconds = UInt64(decimal: fields.next())
        else { return nil }
        self.init(
            protocol: transport, client: client, virtual: virtual,
            destination: .init(destination.address, port: destination.port),
            state: State(rawValue: String(decoding: state, as: UTF8.self)),
            // The kernel subtracts two unsigned times. When the timer is overdue, the result wraps to a number that no
            // timer can have.
            expiresInSeconds: UInt32(exactly: seconds) ?? 0)
        let engine = fields.next()
        if !engine.isEmpty {
            // The data are bytes that the client sent, and may contain spaces.
            persistenceKey = PersistenceKey(
                engine: String(decoding: engine, as: UTF8.self),
                data: String(decoding: fields.rest.dropFirst(), as: UTF8.self))
        }
    }
}

extension Connection.Endpoint {
    fileprivate init?(address: LineFields.Field, port: LineFields.Field) {
        guard let address = IPAddress(hexadecimal: address), port.count == 4, let port = UInt16(hexadecimal: port)
        else { return nil }
        self.init(address, port: port)
    }
}

extension IPAddress {
    fileprivate init?(hexadecimal field: LineFields.Field) {
        switch field.count {
        case 8:
            guard let number = UInt32(hexadecimal: field) else { return nil }
            self.init(ipv4: number)
        case 39:
            var number: UInt128 = 0
            var start = field.startIndex
            while true {
                guard let group = UInt16(hexadecimal: field[start..<start + 4]) else { return nil }
                number = number << 16 | UInt128(group)
                start += 4
                if start == field.endIndex { break }
                guard field[start] == UInt8(ascii: ":") else { return nil }
                start += 1
            }
            self.init(ipv6: number)
        default:
            return nil
        }
    }
}

extension TransportProtocol {
    /// The protocol by the name that `ip_vs_proto_name` prints.
    fileprivate init?(kernelName field: LineFields.Field) {
        if field.elementsEqual("TCP".utf8) {
            self = .tcp
        } else if field.elementsEqual("UDP".utf8) {
            self = .udp
        } else if field.elementsEqual("SCTP".utf8) {
            self = .sctp
        } else if field.elementsEqual("IP".utf8) {
            self.init(rawValue: 0)
        } else if field.elementsEqual("ICMP".utf8) {
            self.init(rawValue: 1)
        } else if field.elementsEqual("ICMPv6".utf8) {
            self.init(rawValue: 58)
        } else if field.starts(with: "IP_".utf8), let number = UInt32(decimal: field.dropFirst(3)), number <= 0xFFFF {
            self.init(rawValue: UInt16(number))
        } else {
            return nil
        }
    }
}

extension FixedWidthInteger {
    /// Nil for an empty text, for other characters than digits, and for a number that does not fit.
    init?(hexadecimal digits: some Sequence<UInt8>) { self.init(digits, radix: 16) }

    /// Nil for no digits, anything but digits, and what does not fit.
    package init?(decimal digits: some Sequence<UInt8>) { self.init(digits, radix: 10) }

    private init?(_ digits: some Sequence<UInt8>, radix: Self) {
        var number: Self = 0
        var isEmpty = true
        for digit in digits {
            let value: UInt8
            switch digit {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): value = digit - UInt8(ascii: "0")
            case UInt8(ascii: "A")...UInt8(ascii: "F"): value = digit - UInt8(ascii: "A") + 10
            case UInt8(ascii: "a")...UInt8(ascii: "f"): value = digit - UInt8(ascii: "a") + 10
            default: return nil
            }
            guard Self(value) < radix else { return nil }
            let (product, productOverflows) = number.multipliedReportingOverflow(by: radix)
            let (sum, sumOverflows) = product.addingReportingOverflow(Self(value))
            if productOverflows || sumOverflows { return nil }
            number = sum
            isEmpty = false
        }
        if isEmpty { return nil }
        self = number
    }
}
