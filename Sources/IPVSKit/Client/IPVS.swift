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
/// One client serves any number of tasks. It talks generic netlink (family `IPVS`) over a socket that a thread
/// of its own owns; the first call opens it, and makes the kernel load the module.
public final class IPVS: Sendable {
    package let client: NetlinkClient
    /// What a simulated kernel has in `/proc/net/ip_vs_conn`; nil where it has no such file, and for a real kernel.
    let simulatedConnections: (@Sendable () -> [UInt8])?
    let deadline: Duration
    let logger: Logger

    /// Takes hold of the namespace; the kernel is first asked by the first call.
    ///
    /// - Parameters:
    ///   - namespace: whose table this is.
    ///   - deadline: how long a call waits for the kernel before it fails with
    ///     ``IPVSError/Code/deadlineExceeded``. A deadline is for a kernel that hangs, not for one that is slow.
    ///   - logger: told at level debug of every call that fails.
    /// - Throws: ``IPVSError/Code/namespace`` where there is no such namespace, or something else in its place.
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

    /// A client in a namespace that is open already.
    init(holding handle: NamespaceHandle, deadline: Duration, logger: Logger) {
        client = NetlinkClient(.generic(family: Family.name), namespace: handle)
        simulatedConnections = nil
        self.deadline = deadline
        self.logger = logger
    }

    /// Another face of a client.
    init(sharing other: IPVS, logger: Logger) {
        client = other.client
        simulatedConnections = other.simulatedConnections
        deadline = other.deadline
        self.logger = logger
    }

    /// A kernel that is a closure, for tests: the bytes of a request in, the datagrams that answer it out.
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
