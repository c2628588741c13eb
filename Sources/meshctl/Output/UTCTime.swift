#if canImport(Glibc)
    import Glibc
#endif

/// A moment as logs write it: `2026-11-29T16:55:03.120Z`.
enum UTCTime {
    static func now() -> String {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return text(of: time)
    }

    static func text(of time: timespec) -> String {
        var (seconds, parts) = (time.tv_sec, tm())
        gmtime_r(&seconds, &parts)
        func digits(_ number: some BinaryInteger, _ count: Int = 2) -> String {
            let text = String(number)
            return String(repeating: "0", count: max(0, count - text.count)) + text
        }
        let day = "\(digits(parts.tm_year + 1900, 4))-\(digits(parts.tm_mon + 1))-\(digits(parts.tm_mday))"
        let clock = "\(digits(parts.tm_hour)):\(digits(parts.tm_min)):\(digits(parts.tm_sec))"
        return "\(day)T\(clock).\(digits(time.tv_nsec / 1_000_000, 3))Z"
    }
}
