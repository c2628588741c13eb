import Conntrack
import IPVSKit
import MeshKit
import RuleKit
import SystemPackage

#if canImport(Glibc)
    import Glibc
#endif

/// The exit statuses that scripts can rely on; the numbers are those of sysexits.h.
enum ExitStatus: Int32 {
    case failed = 1
    case drift = 2
    case badInput = 65
    case unavailable = 69
    case notPermitted = 77
}

/// An error as the user meets it. Those of the argument parser are not ours: it exits with 64.
struct Failure {
    var status: ExitStatus
    var message: String

    init?(_ error: any Error) {
        message = "\(error)"
        switch error {
        case is InputError: status = .badInput
        case let error as StoreError: status = Self.status(error.code)
        case let error as IPVSError: status = Self.status(error.code)
        case let error as RuleError: status = Self.status(error.code)
        case let error as ConntrackError: status = Self.status(error.code)
        case let error as DetourError: status = Self.status(error.code)
        case let error as BridgeError: status = error.isPermission ? .notPermitted : .failed
        case let error as SysctlError: status = Self.status(error.errno)
        case let error as UndoError:
            status = Failure(error.reason)?.status ?? .failed
        case is NotPermitted: status = .notPermitted
        case is CancellationError, is Errno, is OutputError: status = .failed
        default: return nil
        }
    }

    private static func status(_ code: StoreError.Code) -> ExitStatus {
        switch code {
        case .corrupt, .newerSchema: .badInput
        case .notPermitted: .notPermitted
        case .conflict, .inaccessible: .failed
        }
    }

    private static func status(_ code: IPVSError.Code) -> ExitStatus {
        switch code {
        case .unavailable, .schedulerNotFound, .familyNotSupported: .unavailable
        case .notPermitted: .notPermitted
        default: .failed
        }
    }

    private static func status(_ code: ConntrackError.Code) -> ExitStatus {
        switch code {
        case .unavailable: .unavailable
        case .notPermitted: .notPermitted
        default: .failed
        }
    }

    private static func status(_ code: DetourError.Code) -> ExitStatus {
        switch code {
        case .unavailable: .unavailable
        case .notPermitted: .notPermitted
        case .taken, .other: .failed
        }
    }

    private static func status(_ code: RuleError.Code) -> ExitStatus {
        switch code {
        case .toolMissing, .kernelLacksSupport: .unavailable
        case .notPermitted: .notPermitted
        case .refused, .deadlineExceeded, .cancelled: .failed
        }
    }

    private static func status(_ errno: Errno) -> ExitStatus {
        switch errno {
        case .permissionDenied, .notPermitted: .notPermitted
        case .noSuchFileOrDirectory: .unavailable
        default: .failed
        }
    }
}
