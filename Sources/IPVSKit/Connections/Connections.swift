import SystemPackage

extension IPVS {
    /// The connection table of the namespace, `/proc/net/ip_vs_conn`, as a stream.
    ///
    /// ```swift
    /// for try await connection in ipvs.connections() where connection.state == .established {
    ///     print(connection.client, connection.destination)
    /// }
    /// ```
    ///
    /// Each iteration reads the table from the beginning, 64 KiB at a time and only as fast as the consumer asks: a
    /// table of a million connections is never in memory as a whole, and a consumer that stops early reads no further.
    /// The iteration throws ``IPVSError`` with ``IPVSError/Code/communication`` if a line is not a connection, and
    /// names the line; with ``IPVSError/Code/unavailable`` if the kernel has no IPVS; or with
    /// ``IPVSError/Code/cancelled``.
    ///
    /// The stream is not a snapshot. Connections that come or go while it is read are shown or not, and a connection
    /// that stays can be missed or shown twice, because the kernel writes the file in pages of 4 KiB. For each page the
    /// kernel walks its table from the beginning, including the connections of all namespaces, so that the time grows
    /// with the square of their number (in one guest 10,000 took 34 ms, 40,000 took 255 ms, 60,000 took 2 s). To count
    /// connections, use ``DestinationStatus/activeConnections`` and ``DestinationStatus/inactiveConnections``, which
    /// cost next to nothing.
    public func connections() -> Connections { Connections(ipvs: self) }
}

/// The connection table as a stream; see ``IPVS/connections()``.
public struct Connections: AsyncSequence, Sendable {
    /// One connection.
    public typealias Element = Connection
    /// The error with which reading the table fails.
    public typealias Failure = IPVSError

    let ipvs: IPVS

    /// Reads the table from the beginning.
    public func makeAsyncIterator() -> AsyncIterator {
        if let connections = ipvs.simulatedConnections {
            var text = connections()
            let reader = ConnectionReader(report: ipvs.report) { [ipvs] () throws(IPVSError) in
                _ = try ipvs.namespace(IPVS.connectionsOperation)
                defer { text = [] }
                return text
            }
            return AsyncIterator(reader: reader)
        }
        var file: KernelFile?
        return AsyncIterator(
            reader: ConnectionReader(report: ipvs.report) { [ipvs] () async throws(IPVSError) in
                // The file is closed when reading fails: an open file keeps the namespace alive.
                let opened = file.take()
                let (next, chunk) = try await ipvs.readConnections(opened)
                file = next
                return chunk
            })
    }

    /// Reads the table once. The file is closed with the iterator.
    public struct AsyncIterator: AsyncIteratorProtocol {
        let reader: ConnectionReader

        /// The next connection; nil at the end of the table.
        public mutating func next(
            isolation actor: isolated (any Actor)? = #isolation
        ) async throws(IPVSError) -> Connection? {
            try await reader.next(isolation: actor)
        }
    }
}

extension IPVS {
    static let connectionsOperation = "list connections"

    /// Opens the file unless it is open, and reads a chunk. Both block, so they run on a thread of their own, which
    /// ends after each chunk: no thread is left behind when the iteration stops.
    fileprivate func readConnections(_ file: KernelFile?) async throws(IPVSError) -> (KernelFile, [UInt8]) {
        let operation = Self.connectionsOperation
        let count = ConnectionReader.chunkSize
        let result: Result<(KernelFile, [UInt8]), Errno>
        if let file {
            result = try await onThread(operation) {
                Result { () throws(Errno) in (file, try file.read(upTo: count)) }
            }
        } else {
            result = try await inNamespaceWithModule(operation) {
                Result { () throws(Errno) in
                    let file = try KernelFile("/proc/thread-self/net/ip_vs_conn")
                    return (file, try file.read(upTo: count))
                }
            }
        }
        switch result {
        case .success(let success): return success
        case .failure(let errno): throw fileError(errno, operation)
        }
    }
}
