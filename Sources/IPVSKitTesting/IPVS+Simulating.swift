public import IPVSKit
import Netlink

extension IPVS {
    /// A client of a simulated kernel, which is a closure.
    ///
    /// ```swift
    /// let ipvs = IPVS(simulating: { request in
    ///     request.command == .deleteService ? [.error(.noSuchProcess)] : [.acknowledgement]
    /// })
    /// ```
    ///
    /// Only the socket and the file of connections are simulated: requests are encoded, and replies and connections
    /// decoded, by the code that talks to the real kernel. For a kernel that keeps a table see ``FakeIPVS``.
    ///
    /// - Parameters:
    ///   - kernel: receives one message and returns the replies. It runs on a thread of the client, one call after the
    ///     other.
    ///   - connections: returns the connection table each time that a client reads it.
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
