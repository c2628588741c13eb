/// The exit statuses that scripts can rely on; the numbers are those of sysexits.h.
enum ExitStatus: Int32 {
    case failed = 1
    case drift = 2
    case badInput = 65
    case unavailable = 69
    case notPermitted = 77
}
