/// When the kernel defends itself against floods. A number that this library does not know is kept.
public struct DefenseMode: RawRepresentable, SettingValue {
    /// The kernel's number.
    public let rawValue: Int32

    /// A mode by the kernel's number.
    public init(rawValue: Int32) { self.rawValue = rawValue }

    /// 0: never.
    public static let never = Self(rawValue: 0)
    /// 1: while memory is short (``Setting/amemthresh``); memory is not short now. The kernel changes 1 to 2 and back.
    public static let automatic = Self(rawValue: 1)
    /// 2: while memory is short; memory is short now.
    public static let automaticActive = Self(rawValue: 2)
    /// 3: always.
    public static let always = Self(rawValue: 3)
}

/// How IPVS handles a new connection from a client's port for which it still knows an old connection. Without flags,
/// the new connection goes to the destination of the old one.
public struct ConnectionReuse: OptionSet, SettingValue {
    /// The kernel's bits.
    public let rawValue: Int32

    /// From the kernel's bits.
    public init(rawValue: Int32) { self.rawValue = rawValue }

    /// 1: the connection is scheduled again if that is safe: if the old connection is in `TIME_WAIT` or `CLOSE`, or if
    /// its destination is gone and ``Setting/expireNodestConn`` is on. Before Linux 5.9 the client then waited a second
    /// if ``Setting/conntrack`` was on, too.
    public static let whenSafe = Self(rawValue: 1)
    /// 2: the connection is also scheduled again if the old one is in `FIN_WAIT`, which is the last state that a
    /// balancer sees if replies bypass it (direct routing).
    public static let inFinWait = Self(rawValue: 2)
}

/// How often a connection is sent to backups.
public struct SyncThreshold: SettingValue {
    /// The connection is sent when the number of its packets, modulo ``period``, is this number.
    public var packets: Int32
    /// The period in packets; 0 to send the connection only once.
    public var period: Int32

    /// - Parameters:
    ///   - packets: from 0 to the period.
    ///   - period: 0 for once only.
    public init(packets: Int32, period: Int32) {
        self.packets = packets
        self.period = period
    }

    /// From two numbers.
    public init?(settingText: String) {
        let numbers = settingText.split { $0 == "\t" || $0 == " " }.map { Int32($0) }
        guard numbers.count == 2, let packets = numbers[0], let period = numbers[1] else { return nil }
        self.init(packets: packets, period: period)
    }

    /// Two numbers.
    public var settingText: String { "\(packets) \(period)" }
}

/// The version of the protocol by which connections are sent to backups.
public struct SyncVersion: RawRepresentable, SettingValue {
    /// The kernel's number.
    public let rawValue: Int32

    /// A version by the kernel's number.
    public init(rawValue: Int32) { self.rawValue = rawValue }

    /// 0: for backups that know only this version. It supports only IPv4.
    public static let original = Self(rawValue: 0)
    /// 1.
    public static let current = Self(rawValue: 1)
}

/// Which connections of persistent services are sent to backups.
public struct SyncPersistMode: RawRepresentable, SettingValue {
    /// The kernel's number.
    public let rawValue: Int32

    /// A mode by the kernel's number.
    public init(rawValue: Int32) { self.rawValue = rawValue }

    /// 0: all.
    public static let all = Self(rawValue: 0)
    /// 1: templates only. Backups may then need ``Setting/sloppyTCP`` and ``Setting/sloppySCTP``.
    public static let templatesOnly = Self(rawValue: 1)
}

/// A list of processors in the kernel's form: `0-3,6`, `0,1-7:1/2`.
public struct CPUList: RawRepresentable, SettingValue, ExpressibleByStringLiteral, CustomStringConvertible {
    /// The kernel's form.
    public let rawValue: String

    /// From the kernel's form, which is not checked here: the kernel refuses invalid lists.
    public init(rawValue: String) { self.rawValue = rawValue }

    /// From the kernel's form, which is not checked here: the kernel refuses invalid lists.
    public init(stringLiteral value: String) { rawValue = value }

    /// The kernel's form.
    public var description: String { rawValue }

    /// All processors that the machine may have. The kernel reads it back as numbers.
    public static let all: Self = "all"
    /// None.
    public static let none: Self = ""
}

extension String: SettingValue {
    /// Any text.
    public init?(settingText: String) { self = settingText }
    /// The text.
    public var settingText: String { self }
}
