public import Logging
package import Netlink

/// The kernel's IPVS in one network namespace.
///
/// ```swift
/// let ipvs = try IPVS(in: .named("ingress_sbox"))
/// let web = VirtualService.ID.firewallMark(0x102, .ipv4)
/// try await ipvs.perform([
///     .createService(VirtualService(id: web, scheduler: .roundRobin)),
///     .createDestination(Destination("10.255.0.6", port: 80), of: web),
/// ]).get()
/// ```
///
/// One client serves any number of tasks. It speaks generic netlink (family `IPVS`) over a socket that a thread of its
/// own owns. The first call opens the socket, and makes the kernel load the module.
public final class IPVS: Sendable {
    package let client: NetlinkClient
    /// The text of a simulated kernel's `/proc/net/ip_vs_conn`; nil if it has no such file, and for a real kernel.
    let simulatedConnections: (@Sendable () -> [UInt8])?
    let deadline: Duration
    let logger: Logger

    /// Opens the namespace. Nothing is sent to the kernel before the first call.
    ///
    /// - Parameters:
    ///   - namespace: the namespace of the table.
    ///   - deadline: how long a call waits for the kernel before it fails with ``IPVSError/Code/deadlineExceeded``. The
    ///     deadline is meant for a kernel that hangs, not for one that is slow.
    ///   - logger: logs every call that fails, at level debug.
    /// - Throws: ``IPVSError/Code/namespace`` if there is no such namespace, or the file is not a namespace.
    public init(
        in namespace: NetworkNamespace = .current, deadline: Duration = .seconds(30),
        logger: Logger = Logger(label: "ipvs", factory: { _ in SwiftLogNoOpLogHandler() })
    ) throws(IPVSError) {
        let handle: NamespaceHandle
        do throws(IPVSError) {
            handle = try namespace.open()
        } catch {
            logger.debug("\(error)")
            throw error
        }
        client = NetlinkClient(.generic(family: Family.name), namespace: handle)
        simulatedConnections = nil
        self.deadline = deadline
        self.logger = logger
    }

    /// A client in a namespace that is already open.
    init(holding handle: NamespaceHandle, deadline: Duration, logger: Logger) {
        client = NetlinkClient(.generic(family: Family.name), namespace: handle)
        simulatedConnections = nil
        self.deadline = deadline
        self.logger = logger
    }

    /// A client that shares the socket and thread of another one and has a logger of its own.
    init(sharing other: IPVS, logger: Logger) {
        client = other.client
        simulatedConnections = other.simulatedConnections
        deadline = other.deadline
        self.logger = logger
    }

    /// A client of a simulated kernel, for tests: a closure that receives the bytes of a request and returns the
    /// datagrams that answer it.
    ///
    /// - Parameter connections: the text of `/proc/net/ip_vs_conn`; nil for a kernel without the file.
    package init(
        simulating kernel: @escaping SimulatedKernel, connections: (@Sendable () -> [UInt8])? = nil,
        deadline: Duration = .seconds(30),
        logger: Logger = Logger(label: "ipvs", factory: { _ in SwiftLogNoOpLogHandler() })
    ) {
        client = NetlinkClient(simulating: kernel)
        simulatedConnections = connections
        self.deadline = deadline
        self.logger = logger
    }
}
