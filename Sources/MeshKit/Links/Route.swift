public import IPVSKit
public import RuleKit

/// A route through an interface.
public struct Route: Hashable, Sendable, Comparable, CustomStringConvertible {
    /// The network to which the route leads.
    public var destination: IPPrefix
    /// The next hop; nil if the destination is on the link.
    public var gateway: IPAddress?
    /// The source address of packets that the namespace itself sends; nil for the kernel's choice.
    public var source: IPAddress?

    /// The table that contains the route.
    public var table: RouteTable

    /// A route.
    public init(
        to destination: IPPrefix, via gateway: IPAddress? = nil, source: IPAddress? = nil, table: RouteTable = .main
    ) {
        self.destination = destination
        self.gateway = gateway
        self.source = source
        self.table = table
    }

    /// The default route of a family.
    public static func byDefault(_ family: AddressFamily, via gateway: IPAddress, table: RouteTable = .main) -> Self {
        Self(to: .everywhere(family), via: gateway, table: table)
    }

    /// By destination.
    public static func < (lhs: Self, rhs: Self) -> Bool { lhs.description < rhs.description }
    /// `10.0.0.0/8 via 10.0.0.1 src 10.0.0.2`, as `ip route` writes it.
    public var description: String {
        (table == .local ? "local " : "") + "\(destination)" + (gateway.map { " via \($0)" } ?? "")
            + (source.map { " src \($0)" } ?? "")
            + (table == .main || table == .local ? "" : " table \(table.number)")
    }
}

/// A routing table of a namespace.
public struct RouteTable: Hashable, Sendable {
    /// The table's number, as `ip route show table` takes it.
    public var number: UInt32

    /// A table by its number.
    public init(_ number: UInt32) { self.number = number }

    /// The table that is asked for every packet.
    public static let main = Self(254)
    /// The table of the namespace's own addresses. A route in it makes the destination the namespace's own.
    public static let local = Self(255)
}

/// A routing rule: packets with a mark are routed by a table of their own.
public struct RoutingRule: Hashable, Sendable, Comparable, CustomStringConvertible {
    /// The family of the packets.
    public var family: AddressFamily
    /// The mark of the packets.
    public var mark: UInt32
    /// The table that is asked.
    public var table: RouteTable

    /// A rule by its parts.
    public init(_ family: AddressFamily, mark: UInt32, table: RouteTable) {
        self.family = family
        self.mark = mark
        self.table = table
    }

    /// By family, then by mark.
    public static func < (lhs: Self, rhs: Self) -> Bool {
        (lhs.family == .ipv4 ? 0 : 1, lhs.mark, lhs.table.number) < (
            rhs.family == .ipv4 ? 0 : 1, rhs.mark, rhs.table.number
        )
    }

    /// `IPv4 fwmark 0x6d01 lookup 27905`.
    public var description: String {
        "\(family == .ipv4 ? "IPv4" : "IPv6") fwmark 0x\(String(mark, radix: 16)) lookup \(table.number)"
    }
}
