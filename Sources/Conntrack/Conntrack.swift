public import IPVSKit
import Netlink
import SystemPackage

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
/// One value serves any number of tasks. It has a thread of its own that talks to the kernel, which ends with the last copy.
public struct Conntrack: Sendable {
    private let client: NetlinkClient
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
            client = NetlinkClient(.netfilter, namespace: try namespace.open())
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
        try await run("list tracked flows") { [filtersInKernel] client throws(NetlinkError) in
            try await client.entries(matching: [filter], filtersInKernel: filtersInKernel).found.map(\.flow)
        }
    }

    /// How many flows match; what ``flows(matching:)`` says of snapshots holds here, too.
    public func count(matching filter: FlowFilter) async throws(ConntrackError) -> Int {
        try await run("count tracked flows") { [filtersInKernel] client throws(NetlinkError) in
            try await client.entries(matching: [filter], filtersInKernel: filtersInKernel).found.count
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
        return try await run("delete tracked flows") { [filtersInKernel] client throws(NetlinkError) in
            let (found, figures) = try await client.entries(matching: filters, filtersInKernel: filtersInKernel)
            return (try await client.delete(found.filter { isMeant($0.flow) }.map(\.entry)), figures)
        }
    }

    /// Runs the body, whose calls all end by the deadline.
    private func run<Value>(
        _ operation: String, _ body: (FlowClient) async throws(NetlinkError) -> Value
    ) async throws(ConntrackError) -> Value {
        do throws(NetlinkError) {
            return try await body(FlowClient(client: client, end: .now.advanced(by: deadline)))
        } catch {
            throw ConntrackError(error, operation: operation)
        }
    }
}
