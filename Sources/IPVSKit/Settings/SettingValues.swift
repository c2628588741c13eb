/// When the kernel defends itself against floods. Open: a number without a name here is kept.
public struct DefenseMode: RawRepresentable, SettingValue {
    /// The kernel's number.
    public let rawValue: Int32

    /// A mode by the kernel's number.
    public init(rawValue: Int32) { self.rawValue = rawValue }

    /// 0: never.
    public static let never = Self(rawValue: 0)
    /// 1: while memory is short (``Setting/amemthresh``), which it is not now. The kernel changes 1 to 2 and back.
    public static let automatic = Self(rawValue: 1)
    /// 2: while memory is short, which it is now.
    public static let automaticActive = Self(rawValue: 2)
    /// 3: always.
    public static let always = Self(rawValue: 3)
}

/// What becomes of a client that opens a new connection from a port that IPVS knows an old one of. Empty: it goes
/// where the old one went.
public struct ConnectionReuse: OptionSet, SettingValue {
    /// The kernel's bits.
    public let rawValue: Int32

    /// From the kernel's bits.
    public init(rawValue: Int32) { self.rawValue = rawValue }

    /// 1: it is scheduled anew where that is safe: where the old one is in `TIME_WAIT` or `CLOSE`, or where its
    /// destination is gone and ``Setting/expireNodestConn`` is on. Before Linux 5.9 the client then waited a
    /// second if ``Setting/conntrack`` was on, too.
    public static let whenSafe = Self(rawValue: 1)
    /// 2: also where the old one is in `FIN_WAIT`, the last that a balancer sees of a connection whose replies go
    /// round it (direct routing).
    public static let inFinWait = Self(rawValue: 2)
}

/// How often a connection is told to the backup.
public struct SyncThreshold: SettingValue {
    /// Told when its packets, modulo ``period``, are so many.
    public var packets: Int32
    /// In packets; 0 for once only.
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

/// The protocol by which connections are told to backups.
public struct SyncVersion: RawRepresentable, SettingValue {
    /// The kernel's number.
    public let rawValue: Int32

    /// A version by the kernel's number.
    public init(rawValue: Int32) { self.rawValue = rawValue }

    /// 0: for backups that know no other. IPv4 only.
    public static let original = Self(rawValue: 0)
    /// 1.
    public static let current = Self(rawValue: 1)
}

/// Which connections of persistent services are told to backups.
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

/// Processors, in the kernel's form: `0-3,6`, `0,1-7:1/2`.
public struct CPUList: RawRepresentable, SettingValue, ExpressibleByStringLiteral, CustomStringConvertible {
    /// The kernel's form.
    public let rawValue: String

    /// From the kernel's form, unchecked: the kernel refuses what is none.
    public init(rawValue: String) { self.rawValue = rawValue }

    /// From the kernel's form, unchecked: the kernel refuses what is none.
    public init(stringLiteral value: String) { rawValue = value }

    /// The kernel's form.
    public var description: String { rawValue }

    /// All that the machine may have. Reads back as numbers.
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
