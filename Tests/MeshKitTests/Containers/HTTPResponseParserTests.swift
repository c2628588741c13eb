import Testing
import TestSupport

@testable import MeshKit

/// Answers by HTTP: what is read, and what is refused.
@Suite struct HTTPResponseParserTests {
    /// The answer to which a text amounts, whichever way it is cut into pieces.
    private func response(_ text: String, ends: Bool = false) throws -> HTTPResponse {
        let bytes = Array(text.utf8)
        var results: Set<Result<HTTPResponse, HTTPFault>> = []
        for size in [1, 2, 7, max(1, bytes.count)] {
            var parser = HTTPResponseParser()
            var response: HTTPResponse?
            let result = Result { () throws(HTTPFault) in
                for start in stride(from: 0, to: bytes.count, by: size) {
                    response = try parser.take(Array(bytes[start..<min(start + size, bytes.count)]))
                }
                if let response { return response }
                return try parser.finish()
            }
            results.insert(result)
        }
        #expect(results.count == 1, "\(text.debugDescription): \(results)")
        return try results.first!.get()
    }

    @Test(
        arguments: [
            ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", 200, "hello"),
            ("HTTP/1.1 200 OK\r\nContent-Length:\t5 \r\ncontent-length: 5\r\n\r\nhello", 200, "hello"),
            ("HTTP/1.1 200 \r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", 200, "hello"),
            (
                "HTTP/1.1 404 Not Found\r\nTransfer-Encoding: Chunked\r\n\r\n2\r\nhe\r\n3;a=b\r\nllo\r\n000\r\nX: y\r\n\r\n",
                404, "hello"
            ),
            ("HTTP/1.0 500 No\r\n\r\nuntil the end", 500, "until the end"),
            ("HTTP/1.1 204 No Content\r\n\r\n", 204, ""), ("HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", 200, ""),
        ])
    func answers(text: String, status: Int, body: String) throws {
        #expect(try response(text) == HTTPResponse(status: status, body: Array(body.utf8)))
    }

    @Test(
        arguments: [
            ("", "without an answer"), ("HTTP/1.1 200", "ends in the middle"),
            ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n", "ends in the middle"),
            ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell", "ends in the middle"),
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n", "ends in the middle"),
            ("SSH-2.0-OpenSSH_9.2\r\n", "does not begin with a status"), ("\r\n", "does not begin with a status"),
            ("HTTP/2 200 OK\r\n", "does not begin with a status"),
            ("HTTP/1.1 20 OK\r\n", "does not begin with a status"),
            ("HTTP/1.1 101 Switching Protocols\r\n", "does not begin with a status"),
            ("HTTP/1.1 +20 OK\r\n", "does not begin with a status"), ("HTTP/1.1  200 OK\r\n", "does not begin"),
            ("HTTP/1.1 200 OK\nContent-Length: 5\n\nhello", "without a return"),
            ("HTTP/1.1 200 OK\r\nA\u{1}: b\r\n\r\n", "is no text"), ("HTTP/1.1 200 OK\r\n: b\r\n\r\n", "has no name"),
            ("HTTP/1.1 200 OK\r\n folded\r\n\r\n", "has no name"), ("HTTP/1.1 200 OK\r\nA : b\r\n\r\n", "has no name"),
            ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n", "is no number"),
            ("HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n", "is no number"),
            ("HTTP/1.1 200 OK\r\nContent-Length: 9999999999\r\n\r\n", "is no number"),
            ("HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n", "too large"),
            ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", "in two ways"),
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", "not asked for"),
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", "has no size"),
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n", "has no size"),
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffff\r\n", "too large"),
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nhello\r\n", "longer than it says"),
        ])
    func refusals(text: String, words: String) {
        let error = #expect(throws: HTTPFault.self, "\(text.debugDescription)") { try response(text) }
        #expect(error?.description.contains(words) == true, "\(String(describing: error))")
    }

    @Test func nothingFollowsAnAnswer() {
        var parser = HTTPResponseParser()
        #expect(throws: HTTPFault("the answer is longer than it says")) {
            try parser.take(Array("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nhello".utf8))
        }
    }

    /// However much is sent, a bounded amount is kept.
    @Test(
        arguments: [
            ("", "x", "does not end"), ("HTTP/1.1 200 OK\r\n", "A: b\r\n", "does not end"),
            ("HTTP/1.1 200 OK\r\n\r\n", "x", "too large"),
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "1\r\nx\r\n", "does not end"),
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", "A: b\r\n", "does not end"),
        ])
    func answersWithoutEnd(begin: String, more: String, words: String) throws {
        var parser = HTTPResponseParser()
        let piece = Array(String(repeating: more, count: 4096).utf8)
        let error = #expect(throws: HTTPFault.self) {
            _ = try parser.take(Array(begin.utf8))
            for _ in 0..<4096 { _ = try parser.take(piece) }
        }
        #expect(error?.description.contains(words) == true, "\(String(describing: error))")
    }

    /// Whatever arrives, the parser ends with an answer or a fault.
    @Test func noise() {
        var generator = SeededGenerator.announced()
        let base =
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
        for _ in 0..<3000 {
            var bytes = Array(base.utf8)
            for _ in 0..<Int.random(in: 1...4, using: &generator) {
                let index = Int.random(in: 0..<bytes.count, using: &generator)
                switch Int.random(in: 0..<3, using: &generator) {
                case 0: bytes[index] = .random(in: 0...255, using: &generator)
                case 1: bytes.remove(at: index)
                default: bytes.insert(.random(in: 0...255, using: &generator), at: index)
                }
            }
            var parser = HTTPResponseParser()
            let response = try? parser.take(bytes) ?? parser.finish()
            #expect((response?.body.count ?? 0) <= bytes.count)
        }
    }
}
