#if canImport(Glibc)
    import Glibc
#endif

/// A moment on the clock that starts at boot and continues while the machine sleeps (`CLOCK_BOOTTIME`).
///
/// Nobody can set this clock, so differences of its values are real spans of time. Moments of different boots cannot be
/// compared.
public struct BootTime: Hashable, Comparable, Sendable {
    /// Nanoseconds since boot.
    public var nanoseconds: UInt64

    /// A moment by its nanoseconds since boot.
    public init(nanoseconds: UInt64) { self.nanoseconds = nanoseconds }

    /// This moment.
    public static func now() -> Self {
        var time = timespec()
        clock_gettime(CLOCK_BOOTTIME, &time)
        return Self(nanoseconds: UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec))
    }

    /// The moment that many seconds later.
    func advanced(bySeconds seconds: UInt64) -> Self { Self(nanoseconds: nanoseconds + seconds * 1_000_000_000) }

    /// The whole seconds from an earlier moment to this one; 0 from a later one.
    func seconds(since other: Self) -> UInt64 {
        other < self ? (nanoseconds - other.nanoseconds) / 1_000_000_000 : 0
    }

    /// The seconds from an earlier moment to this one, of which the last has only begun; 0 from a later moment.
    func secondsBegun(since other: Self) -> UInt64 {
        other < self ? (nanoseconds - other.nanoseconds + 999_999_999) / 1_000_000_000 : 0
    }

    /// The earlier one is less.
    public static func < (lhs: Self, rhs: Self) -> Bool { lhs.nanoseconds < rhs.nanoseconds }
}

extension BootTime: Codable {
    /// Reads the number of nanoseconds.
    public init(from decoder: any Decoder) throws {
        nanoseconds = try decoder.singleValueContainer().decode(UInt64.self)
    }

    /// Writes the number of nanoseconds.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(nanoseconds)
    }
}
