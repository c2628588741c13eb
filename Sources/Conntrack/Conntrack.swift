public import IPVSKit
import Netlink
import SystemPackage

/// The flows that the kernel tracks in one network namespace. The program `conntrack` lists and deletes the same flows.
///
/// ```swift
/// let conntrack = try Conntrack(in: .named("ingress_sbox"))
/// // The task is gone. Its clients will be balanced anew with their next datagram.
/// try await conntrack.delete(matching: [
///     FlowFilter(protocol: .udp, replySource: "10.11.0.2", replySourcePort: 53)
/// ])
/// ```
///
/// The kernel keeps the translation of a flow in the flow's entry. As long as the entry exists, every packet goes where
/// the first one went, even if the rules have changed. A UDP entry only ends when the client is silent for a while.
///
/// The kernel tracks flows in a namespace only if something in it asks for that: a rule with `-m conntrack`, or a
/// translation. Otherwise there are no flows, which is no error.
///
/// One value serves any number of tasks. It has a thread of its own that talks to the kernel and ends with the last
/// copy.
public struct Conntrack: Sendable {
    private let client: NetlinkClient
    private let deadline: Duration
    private let filtersInKernel: Bool

    /// Keeps the namespace alive. The first call is the first to talk to the kernel.
    ///
    /// - Parameters:
    ///   - namespace: the namespace of the flows.
    ///   - deadline: how long a call waits for the kernel before it fails with
    ///     ``ConntrackError/Code/deadlineExceeded``.
    /// - Throws: ``ConntrackError/Code/namespace`` if the namespace does not exist.
    public init(
        in namespace: NetworkNamespace = .current, deadline: Duration = .seconds(30)
    ) throws(ConntrackError) {
        try self.init(in: namespace, deadline: deadline, filtersInKernel: true)
    }

    /// - Parameter filtersInKernel: false asks for all flows and filters them here, as kernels before 5.8 make it
    ///   necessary.
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
    /// The list is no snapshot, because the kernel continues to work while it is read. Flows that begin or end may be
    /// missing or not, and even a flow that does not change can be missed or listed twice if its neighbour in the table
    /// ends.
    ///
    /// - Throws: ``ConntrackError/Code/notPermitted``, ``ConntrackError/Code/unavailable`` and others.
    public func flows(matching filter: FlowFilter) async throws(ConntrackError) -> [Flow] {
        try await run("list tracked flows") { [filtersInKernel] client throws(NetlinkError) in
            try await client.entries(matching: [filter], filtersInKernel: filtersInKernel).found.map(\.flow)
        }
    }

    /// The number of flows that match. Like ``flows(matching:)``, it counts no snapshot.
    public func count(matching filter: FlowFilter) async throws(ConntrackError) -> Int {
        try await run("count tracked flows") { [filtersInKernel] client throws(NetlinkError) in
            try await client.entries(matching: [filter], filtersInKernel: filtersInKernel).found.count
        }
    }

    /// Deletes the flows that match any of the filters, and returns the number of deleted flows. For each protocol and
    /// family, one dump (`IPCTNL_MSG_CT_GET`) finds the flows, and `IPCTNL_MSG_CT_DELETE` messages delete them, many in
    /// one call of the kernel.
    ///
    /// A flow that ends by itself meanwhile is no error and is not counted. A flow that begins meanwhile is left alone,
    /// even in place of one that ended, as far as the kernel's ids distinguish them. So change the rules first and
    /// delete afterwards: a flow that began between a deletion and a change of the rules would take the old way and
    /// stay there.
    ///
    /// - Throws: ``ConntrackError/Code/notPermitted``, ``ConntrackError/Code/unavailable`` and others. If the kernel
    ///   refuses to delete a flow (``ConntrackError/Code/other``), all other flows were deleted.
    @discardableResult
    public func delete(
        matching filters: some Collection<FlowFilter>, where isMeant: @escaping @Sendable (Flow) -> Bool = { _ in true }
    ) async throws(ConntrackError) -> Int {
        try await deleteMeasured(matching: filters, where: isMeant).deleted
    }

    /// Does the same as ``delete(matching:)``, and returns its costs.
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

    /// Whether the kernel has zones, which keep flows apart that have the same addresses and ports.
    ///
    /// The kernel is asked for a flow in a zone (`IPCTNL_MSG_CT_GET` with `CTA_ZONE`), and refuses the zone if it was
    /// built without `CONFIG_NF_CONNTRACK_ZONES`. Nothing is changed.
    ///
    /// - Throws: ``ConntrackError/Code/notPermitted``, ``ConntrackError/Code/unavailable`` and others.
    public func hasZones() async throws(ConntrackError) -> Bool {
        try await run("ask for a zone") { client throws(NetlinkError) in try await client.hasZones() }
    }

    /// Runs the body. All of its calls end by the deadline.
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
