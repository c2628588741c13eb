import CConntrack
public import IPVSKit
import Netlink
import SystemPackage

#if canImport(Glibc)
    import Glibc
#endif

/// The flows that the kernel tracks in one network namespace, as the program `conntrack` lists and deletes them.
///
/// ```swift
/// let conntrack = try Conntrack(in: .named("ingress_sbox"))
/// // The task is gone: its clients are to be balanced anew with their next datagram.
/// try await conntrack.delete(matching: [
///     FlowFilter(protocol: .udp, replySource: "10.11.0.2", replySourcePort: 53)
/// ])
/// ```
///
/// An entry is where a flow's translation is kept: as long as there is one, every packet goes where the first one went,
/// whatever the rules say by now. For UDP that ends only when the client is silent for a while.
///
/// The kernel tracks a namespace only where something there asks for it, a rule with `-m conntrack` or a translation.
/// Elsewhere there are no flows, which is no error.
///
/// Each call has a socket and a thread of its own, so that one value serves any number of tasks.
public struct Conntrack: Sendable {
    private let namespace: NamespaceHandle
    private let deadline: Duration
    private let filtersInKernel: Bool

    /// Takes hold of the namespace; the kernel is first asked by the first call.
    ///
    /// - Parameters:
    ///   - namespace: whose flows these are.
    ///   - deadline: how long a call waits for the kernel before it fails with
    ///     ``ConntrackError/Code/deadlineExceeded``.
    /// - Throws: ``ConntrackError/Code/namespace`` where the namespace does not exist.
    public init(
        in namespace: NetworkNamespace = .current, deadline: Duration = .seconds(30)
    ) throws(ConntrackError) {
        try self.init(in: namespace, deadline: deadline, filtersInKernel: true)
    }

    /// - Parameter filtersInKernel: false asks for all flows and filters them here, as it comes to with kernels before
    ///   5.8.
    package init(
        in namespace: NetworkNamespace, deadline: Duration = .seconds(30), filtersInKernel: Bool
    ) throws(ConntrackError) {
        do {
            self.namespace = try namespace.open()
        } catch {
            throw ConntrackError(
                code: error.errno == .permissionDenied ? .notPermitted : .namespace, errno: error.errno,
                operation: error.operation, hint: error.hint)
        }
        self.deadline = deadline
        self.filtersInKernel = filtersInKernel
    }

    /// The flows that match. `IPCTNL_MSG_CT_GET` as a dump, with `CTA_FILTER`.
    ///
    /// Not a snapshot. The kernel goes on meanwhile: flows that come and go are there or not, and one that stands still
    /// can be missed or seen twice where its neighbour in the table goes.
    ///
    /// - Throws: ``ConntrackError/Code/notPermitted``, ``ConntrackError/Code/unavailable`` and others.
    public func flows(matching filter: FlowFilter) async throws(ConntrackError) -> [Flow] {
        try await run("list tracked flows") { [filtersInKernel] socket throws(FlowSocket.Failure) in
            var flows: [Flow] = []
            try socket.entries(matching: [filter], filtersInKernel: filtersInKernel) { _, flow in flows.append(flow) }
            return flows
        }
    }

    /// How many flows match; what ``flows(matching:)`` says of snapshots holds here, too.
    public func count(matching filter: FlowFilter) async throws(ConntrackError) -> Int {
        try await run("count tracked flows") { [filtersInKernel] socket throws(FlowSocket.Failure) in
            var count = 0
            try socket.entries(matching: [filter], filtersInKernel: filtersInKernel) { _, _ in count += 1 }
            return count
        }
    }

    /// Deletes the flows that match any of the filters, and gives how many it deleted. `IPCTNL_MSG_CT_DELETE`, many in
    /// one message to the kernel, for what one dump of `IPCTNL_MSG_CT_GET` finds for each protocol and family.
    ///
    /// A flow that ends by itself meanwhile is no error and not counted. One that begins meanwhile is left alone, even
    /// in the place of one that ended, as far as the kernel's ids tell them apart. So change the rules first, then
    /// delete: what comes between the two would else go the old way, and stay there.
    ///
    /// - Throws: ``ConntrackError/Code/notPermitted``, ``ConntrackError/Code/unavailable`` and others. Where the kernel
    ///   refuses to delete a flow (``ConntrackError/Code/other``), all others were deleted.
    @discardableResult
    public func delete(
        matching filters: some Collection<FlowFilter>, where isMeant: @escaping @Sendable (Flow) -> Bool = { _ in true }
    ) async throws(ConntrackError) -> Int {
        try await deleteMeasured(matching: filters, where: isMeant).deleted
    }

    /// As ``delete(matching:)``, and what it took.
    package func deleteMeasured(
        matching filters: some Collection<FlowFilter>, where isMeant: @escaping @Sendable (Flow) -> Bool = { _ in true }
    ) async throws(ConntrackError) -> (deleted: Int, figures: ConntrackFigures) {
        let filters = Array(filters)
        guard !filters.isEmpty else { return (0, ConntrackFigures()) }
        return try await run("delete tracked flows") { [filtersInKernel] socket throws(FlowSocket.Failure) in
            var entries: [CConntrackEntry] = []
            try socket.entries(matching: filters, filtersInKernel: filtersInKernel) { entry, flow in
                if isMeant(flow) { entries.append(entry) }
            }
            let deleted = try socket.delete(entries)
            return (deleted, socket.figures)
        }
    }

    /// Runs the body with a socket of its own, on a thread of its own in the namespace.
    private func run<Value: Sendable>(
        _ operation: String,
        _ body: @escaping @Sendable (inout FlowSocket) throws(FlowSocket.Failure) -> Value
    ) async throws(ConntrackError) -> Value {
        let stop = Stop(after: deadline)
        // A thread that is there already need not enter, which takes CAP_SYS_ADMIN.
        let elsewhere = isCurrent ? nil : namespace
        let outcome = await withTaskCancellationHandler {
            await Self.onThread(in: elsewhere, deadline: deadline) {
                do throws(FlowSocket.Failure) {
                    var socket = try FlowSocket(stop: stop)
                    return .success(try body(&socket))
                } catch {
                    return .failure(ConntrackError(error, operation: operation))
                }
            }
        } onCancel: {
            stop.cancel()
        }
        switch outcome {
        case .success(let result): return try result.get()
        case .failure(let error): throw ConntrackError(error, operation: operation)
        }
    }

    /// As a result: a cancellation handler hands errors on without their type.
    private static func onThread<Value: Sendable>(
        in namespace: NamespaceHandle?, deadline: Duration,
        _ body: @escaping @Sendable () -> Result<Value, ConntrackError>
    ) async -> Result<Result<Value, ConntrackError>, NetlinkError> {
        do throws(NetlinkError) {
            return .success(try await DetachedThread.run(in: namespace, deadline: deadline, body))
        } catch {
            return .failure(error)
        }
    }

    /// Whether the namespace is the one of the calling thread.
    private var isCurrent: Bool {
        var here = stat()
        var there = stat()
        return stat("/proc/thread-self/ns/net", &here) == 0 && fstat(namespace.descriptor.rawValue, &there) == 0
            && here.st_dev == there.st_dev && here.st_ino == there.st_ino
    }
}

extension FlowSocket {
    /// Gives what matches any of the filters, as it came and as a value. What the kernel filtered is filtered again: it
    /// may be an old one, and it cannot tell ports in a range.
    mutating func entries(
        matching filters: [FlowFilter], filtersInKernel: Bool, _ body: (CConntrackEntry, Flow) -> Void
    ) throws(Failure) {
        for request in DumpRequest.covering(filters) {
            try dump(request, filters: filtersInKernel) { entry in
                let flow = Flow(entry)
                // Not filtered, a dump of the family has flows of other protocols, which another dump is for.
                guard entry.protocol == request.protocol, filters.contains(where: { $0.matches(flow) }) else { return }
                body(entry, flow)
            }
        }
    }
}
