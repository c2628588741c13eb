/// An answer by HTTP.
struct HTTPResponse: Hashable {
    var status: Int
    var body: [UInt8]
}

/// What an answer has that HTTP/1.1 does not allow, or this client does not take, in words.
struct HTTPFault: Error, Hashable, CustomStringConvertible {
    var description: String
    init(_ description: String) { self.description = description }
}

/// Reads one answer to a GET, strictly: whatever another reader might understand otherwise is refused, and so is an
/// answer that is larger than any engine's.
struct HTTPResponseParser {
    static let mostHeadBytes = 32 << 10
    static let mostBodyBytes = 8 << 20

    private enum Step: Equatable {
        case statusLine, header, chunkSize, chunkEnd, trailer, done
        case sized(left: Int), chunk(left: Int)
        /// The body ends with the connection.
        case untilEnd
    }

    private var step = Step.statusLine
    private var buffer: [UInt8] = []
    private var position = 0
    private var headBytes = 0
    private var status = 0
    private var length: Int?
    private var isChunked = false
    private var body: [UInt8] = []

    /// Takes the next bytes. Gives the answer once it is complete.
    mutating func take(_ bytes: [UInt8]) throws(HTTPFault) -> HTTPResponse? {
        buffer.removeFirst(position)
        position = 0
        buffer += bytes
        while step != .done, try advance() {}
        guard step == .done else { return nil }
        guard position == buffer.count else { throw HTTPFault("the answer is longer than it says") }
        return HTTPResponse(status: status, body: body)
    }

    /// Takes the end of the connection.
    mutating func finish() throws(HTTPFault) -> HTTPResponse {
        guard step == .untilEnd else {
            throw HTTPFault(
                step == .statusLine && buffer.count == position
                    ? "it ended the connection without an answer" : "the answer ends in the middle")
        }
        return HTTPResponse(status: status, body: body)
    }

    /// Whether a step was taken; not if that needs more bytes.
    private mutating func advance() throws(HTTPFault) -> Bool {
        switch step {
        case .done: return false
        case .statusLine:
            guard let line = try line() else { return false }
            status = try Self.status(line)
            step = .header
        case .header:
            guard let line = try line() else { return false }
            if line.isEmpty { step = try bodyStep() } else { try readHeader(line) }
        case .sized(let left): step = try takeBody(left).map { $0 == 0 ? .done : .sized(left: $0) } ?? step
        case .chunk(let left): step = try takeBody(left).map { $0 == 0 ? .chunkEnd : .chunk(left: $0) } ?? step
        case .untilEnd: _ = try takeBody(.max)
        case .chunkSize:
            guard let line = try line() else { return false }
            let size = try Self.chunkSize(line)
            step = size == 0 ? .trailer : .chunk(left: size)
        case .chunkEnd:
            guard let line = try line() else { return false }
            guard line.isEmpty else { throw HTTPFault("a chunk of the answer is longer than it says") }
            step = .chunkSize
        case .trailer:
            guard let line = try line() else { return false }
            if line.isEmpty { step = .done }
        }
        return step == .done || position < buffer.count
    }

    // MARK: Parts

    /// The next line without its end; nil if it is not complete.
    private mutating func line() throws(HTTPFault) -> String? {
        guard let end = buffer[position...].firstIndex(of: UInt8(ascii: "\n")) else {
            try countHead(buffer.count - position, isWhole: false)
            return nil
        }
        let bytes = buffer[position..<end]
        try countHead(bytes.count + 1, isWhole: true)
        position = end + 1
        guard bytes.last == UInt8(ascii: "\r") else { throw HTTPFault("a line of the answer ends without a return") }
        let line = bytes.dropLast()
        guard line.allSatisfy({ (0x20...0x7E).contains($0) || $0 == UInt8(ascii: "\t") }) else {
            throw HTTPFault("a line of the answer is no text")
        }
        return String(decoding: line, as: UTF8.self)
    }

    private mutating func countHead(_ count: Int, isWhole: Bool) throws(HTTPFault) {
        guard headBytes + count <= Self.mostHeadBytes else { throw HTTPFault("the head of the answer does not end") }
        if isWhole { headBytes += count }
    }

    /// Moves bytes into the body. Gives how many are still left of a part of the body; nil if there were no bytes.
    private mutating func takeBody(_ left: Int) throws(HTTPFault) -> Int? {
        let count = min(left, buffer.count - position)
        guard count > 0 else { return nil }
        guard body.count + count <= Self.mostBodyBytes else { throw HTTPFault("the answer is too large") }
        body += buffer[position..<(position + count)]
        position += count
        return left - count
    }

    private static func status(_ line: String) throws(HTTPFault) -> Int {
        let parts = line.split(separator: " ", maxSplits: 2, omittingEmptySubsequences: false)
        guard parts.count >= 2, parts[0] == "HTTP/1.1" || parts[0] == "HTTP/1.0", parts[1].utf8.count == 3,
            let status = number(parts[1]), (200...599).contains(status)
        else { throw HTTPFault("it does not begin with a status of HTTP/1.1") }
        return status
    }

    private mutating func readHeader(_ line: String) throws(HTTPFault) {
        guard let colon = line.firstIndex(of: ":"), colon != line.startIndex,
            !line[..<colon].contains(where: Self.isBlank)
        else { throw HTTPFault("a header of the answer has no name") }
        var value = line[line.index(after: colon)...].drop(while: Self.isBlank)
        while value.last.map(Self.isBlank) == true { value.removeLast() }
        switch line[..<colon].lowercased() {
        case "content-length":
            guard let number = Self.number(value), length == nil || length == number else {
                throw HTTPFault("the length of the answer is no number")
            }
            length = number
        case "transfer-encoding":
            guard !isChunked, value.lowercased() == "chunked" else {
                throw HTTPFault("the answer is encoded in a way that was not asked for")
            }
            isChunked = true
        default: break
        }
    }

    private func bodyStep() throws(HTTPFault) -> Step {
        guard !isChunked || length == nil else { throw HTTPFault("the answer says its length in two ways") }
        if status == 204 || status == 304 { return .done }
        if isChunked { return .chunkSize }
        guard let length else { return .untilEnd }
        guard length <= Self.mostBodyBytes else { throw HTTPFault("the answer is too large") }
        return length == 0 ? .done : .sized(left: length)
    }

    private static func chunkSize(_ line: String) throws(HTTPFault) -> Int {
        let digits = line.prefix { $0 != ";" }
        guard !digits.isEmpty, digits.utf8.count <= 8, digits.allSatisfy(\.isHexDigit),
            let size = Int(digits, radix: 16)
        else { throw HTTPFault("a chunk of the answer has no size") }
        guard size <= mostBodyBytes else { throw HTTPFault("the answer is too large") }
        return size
    }

    private static func isBlank(_ character: Character) -> Bool { character == " " || character == "\t" }

    /// A number of at most nine digits.
    private static func number(_ text: some StringProtocol) -> Int? {
        let isNumber = (1...9).contains(text.utf8.count) && text.utf8.allSatisfy { (48...57).contains($0) }
        return isNumber ? Int(text) : nil
    }
}
