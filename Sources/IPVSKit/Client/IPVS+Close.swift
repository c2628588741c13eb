import Netlink

extension IPVS {
    /// Lets go of the namespace, the socket and the thread, at once and not only with the last reference to the client.
    ///
    /// Calls that wait for the kernel's answer end with ``IPVSError/Code/closed``, and of what they had asked the kernel to
    /// change it is not known whether it is done: ``PerformResult`` tells, as where the deadline passed. Every call that
    /// comes later throws the same code and does nothing; the next element of ``connections()`` and of
    /// ``events(every:counters:)``, too. A call that reads or writes a file of the kernel's just then ends by itself, and
    /// holds the namespace until then.
    ///
    /// It does not block: the thread closes the socket and ends a moment later. To close twice is no error.
    public func close() { client.close() }

    /// The namespace; nil where the kernel is simulated: then there is netlink and nothing else.
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
