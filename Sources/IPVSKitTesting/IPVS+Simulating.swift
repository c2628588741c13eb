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
    /// Nothing but the socket is simulated: requests are encoded and replies decoded by the code that talks to the real
    /// kernel. For one that keeps a table see ``FakeIPVS``.
    ///
    /// - Parameters:
    ///   - kernel: answers one message. It runs on a thread of the client's, one call after the other.
    ///   - deadline: how long a call waits for an answer before it fails with `IPVSError.Code.deadlineExceeded`.
    public convenience init(
        simulating kernel: @escaping @Sendable (SimulatedRequest) -> [SimulatedReply],
        deadline: Duration = .seconds(30)
    ) {
        let bytes: SimulatedKernel = { message in
            guard let request = SimulatedRequest(message) else { return [] }
            return kernel(request).datagrams(answering: request)
        }
        self.init(simulating: bytes, deadline: deadline)
    }
}
