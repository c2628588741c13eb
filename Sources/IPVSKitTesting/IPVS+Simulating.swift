public import IPVSKit
import Netlink

extension IPVS {
    /// A client of a kernel that is a closure.
    ///
    /// ```swift
    /// let ipvs = IPVS(simulating: { request in
    ///     request.command == .deleteService ? [.error(.noSuchProcess)] : [.acknowledgement]
    /// })
    /// ```
    ///
    /// Nothing but the socket and the file of connections is simulated: requests are encoded, and replies and connections
    /// decoded, by the code that talks to the real kernel. For one that keeps a table see ``FakeIPVS``.
    ///
    /// - Parameters:
    ///   - kernel: answers one message. It runs on a thread of the client's, one call after the other.
    ///   - connections: the connection table, asked for each time that it is read.
    ///   - deadline: how long a call waits for an answer before it fails with `IPVSError.Code.deadlineExceeded`.
    public convenience init(
        simulating kernel: @escaping @Sendable (SimulatedRequest) -> [SimulatedReply],
        connections: @escaping @Sendable () -> [Connection] = { [] }, deadline: Duration = .seconds(30)
    ) {
        let bytes: SimulatedKernel = { message in
            guard let request = SimulatedRequest(message) else { return [] }
            return kernel(request).datagrams(answering: request)
        }
        self.init(simulating: bytes, connections: { connections().kernelText }, deadline: deadline)
    }
}
