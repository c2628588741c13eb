/// Splits chunks of bytes into lines, and reads a connection from each line.
final class ConnectionReader {
    static let chunkSize = 64 * 1024

    /// Returns the next bytes; none at the end.
    private let read: () async throws(IPVSError) -> [UInt8]
    private var buffer: [UInt8] = []
    private var position = 0
    private var lineNumber = 0
    private var isAtEnd = false

    /// Logs the error for a line that is not a connection, and returns it to be thrown.
    private let report: (IPVSError) -> IPVSError

    init(
        report: @escaping (IPVSError) -> IPVSError = { $0 }, read: @escaping () async throws(IPVSError) -> [UInt8]
    ) {
        self.report = report
        self.read = read
    }

    /// The next connection; nil at the end, and after an error.
    func next(isolation actor: isolated (any Actor)? = #isolation) async throws(IPVSError) -> Connection? {
        while true {
            if let end = buffer[position...].firstIndex(of: UInt8(ascii: "\n")) {
                let line = position..<end
                position = end + 1
                if let connection = try connection(line) { return connection }
            } else if isAtEnd {
                // The kernel ends every line with a newline, so an unfinished line is an error.
                let rest = position..<buffer.count
                position = buffer.count
                return try connection(rest)
            } else {
                try await refill()
            }
        }
    }

    private func refill(isolation actor: isolated (any Actor)? = #isolation) async throws(IPVSError) {
        buffer.removeSubrange(..<position)
        position = 0
        do throws(IPVSError) {
            let chunk = try await read()
            if chunk.isEmpty { isAtEnd = true }
            buffer += chunk
        } catch {
            stop()
            throw error
        }
    }

    /// The connection of a line; nil for the heading and for an empty line.
    private func connection(_ range: Range<Int>) throws(IPVSError) -> Connection? {
        if range.isEmpty { return nil }
        lineNumber += 1
        let connection = buffer.withUnsafeBufferPointer { Connection(line: .init(rebasing: $0[range])) }
        if let connection { return connection }
        if lineNumber == 1, buffer[range].starts(with: "Pro ".utf8) { return nil }
        let text = String(decoding: buffer[range], as: UTF8.self)
        let number = lineNumber
        stop()
        throw report(
            IPVSError(
                .communication, operation: IPVS.connectionsOperation,
                hint: "line \(number) of /proc/net/ip_vs_conn is not a connection: \(text.debugDescription)"))
    }

    private func stop() {
        buffer = []
        position = 0
        isAtEnd = true
    }
}
