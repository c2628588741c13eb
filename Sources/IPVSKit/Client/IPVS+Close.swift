import Netlink

extension IPVS {
    /// Releases the namespace, the socket and the thread now, rather than with the last reference to the client.
    ///
    /// Calls that wait for the kernel's answer end with ``IPVSError/Code/closed``; whether the kernel made their
    /// changes is unknown, and ``PerformResult`` reports it as for a missed deadline. Later calls throw the same code
    /// and do nothing, and so does the next element of ``connections()`` and of ``events(every:counters:)``. A call
    /// that is reading or writing a file of the kernel finishes normally, and holds the namespace until then.
    ///
    /// This method does not block: the thread closes the socket and ends a moment later. Closing a client twice is not
    /// an error.
    public func close() { client.close() }

    /// The namespace; nil for a simulated kernel, which has only netlink.
    ///
    /// - Throws: ``IPVSError/Code/closed``.
    func namespace(_ operation: @autoclosure () -> String) throws(IPVSError) -> NamespaceHandle? {
        do throws(NetlinkError) {
            return try client.namespace()
        } catch {
            throw report(IPVSError(error, operation: operation()))
        }
    }
}
