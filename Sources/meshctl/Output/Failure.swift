import AgentAPI
import Conntrack
import Containers
import IPVSKit
import MeshKit
import RuleKit
import SystemPackage

#if canImport(Glibc)
    import Glibc
#endif

/// The message and the exit status of an error.
struct Failure {
    var status: ExitStatus
    /// The message: a line, or one for each fault of a mesh file. A newline within a line is part of somebody's name.
    var lines: [String]

    init(status: ExitStatus, lines: [String]) {
        self.status = status
        self.lines = lines
    }

    /// Nil for errors of the argument parser, which have a status of their own: 64.
    init?(_ error: any Error) {
        switch error {
        case is InputError: status = .badInput
        case let error as OperationFailure: status = error.exitStatus.flatMap(ExitStatus.init) ?? .failed
        case let error as StoreError: status = Self.status(error.code)
        case let error as IPVSError: status = Self.status(error.code)
        case let error as RuleError: status = Self.status(error.code)
        case let error as ConntrackError: status = Self.status(error.code)
        case let error as PlaceError: status = Self.status(error.code)
        case let error as ContainerError: status = Self.status(error.code)
        case is LedgerError, is RuleOwnerError, is LostMeshError: status = .badInput
        case is NodeAddressError: status = .failed
        case let error as SysctlError: status = Self.status(error.errno)
        case let error as IncompletePassError: status = Failure(error.reason)?.status ?? .failed
        case let error as UndoError:
            status = Failure(error.reason)?.status ?? .failed
        case is NotPermitted: status = .notPermitted
        case is AgentError, is AgentServerError: status = .failed
        case let error as AgentUnreachable: status = error.status
        case is CancellationError, is Errno, is OutputError: status = .failed
        default: return nil
        }
        // Not before: to print a request for help takes an eighth of the time that the help takes.
        lines = Self.faults(of: error) ?? ["\(error)" + (Self.remedy(error).map { "; \($0)" } ?? "")]
    }

    private static func faults(of error: any Error) -> [String]? {
        (error as? InputError)?.faults ?? (error as? OperationFailure)?.faults
    }

    /// What a library that knows nothing of meshctl's options cannot advise.
    private static func remedy(_ error: any Error) -> String? {
        switch error {
        case let error as RuleError where error.code == .kernelLacksSupport:
            "`--rules` chooses another tool, nftables or iptables"
        case let error as IncompletePassError: remedy(error.reason)
        case let error as UndoError: remedy(error.reason)
        default: nil
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

    private static func status(_ code: PlaceError.Code) -> ExitStatus {
        switch code {
        case .unavailable: .unavailable
        case .notPermitted: .notPermitted
        case .taken, .other: .failed
        }
    }

    private static func status(_ code: ContainerError.Code) -> ExitStatus {
        switch code {
        case .unavailable: .unavailable
        case .notPermitted: .notPermitted
        case .failed: .failed
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

extension OperationFailure {
    /// Why an operation failed, in the words and with the exit status of the command.
    init(of error: any Error) {
        if let failure = error as? OperationFailure {
            self = failure
            return
        }
        let failure = Failure(error) ?? Failure(status: .failed, lines: ["\(error)"])
        self.init(
            failure.lines.joined(separator: "\n"), exitStatus: failure.status.rawValue,
            faults: failure.lines.count > 1 ? failure.lines : nil, isMistake: error is InputError)
    }
}
