import Testing

@testable import MeshKit

/// Health checks as people write them.
@Suite struct HealthCheckTests {
    @Test(
        arguments: [
            ("tcp", "tcp"), ("udp", "udp"), ("http:/", "http:/"), ("http:/a?b=c", "http:/a?b=c"),
            (
                "tcp,port=8080,interval=10s,timeout=1s,rise=1,fall=5",
                "tcp,port=8080,interval=10s,timeout=1s,rise=1,fall=5"
            ),
            ("http:/h,host=example.com,status=200", "http:/h,host=example.com,status=200"),
            ("http:/h,status=200-299,interval=60", "http:/h,status=200-299,interval=1m"),
            ("tcp,interval=5s,timeout=2s,rise=2,fall=3", "tcp"),
        ])
    func readAndWritten(text: String, written: String) throws {
        let check = try HealthCheck(text)
        #expect(check.description == written)
        #expect(try HealthCheck(check.description) == check)
    }

    @Test(
        arguments: [
            ("", "is no health check"), ("icmp", "is no health check"), ("http", "is no health check"),
            ("http:healthz", "is no path"), ("http:/a b", "is no path"), ("http:/\r\nX: y", "is no path"),
            ("tcp,", "is no option"), ("tcp,port=0", "is not a port"), ("tcp,port=65536", "is not a port"),
            ("tcp,port=+80", "is not a port"), ("tcp,rise=0", "how many good probes"), ("tcp,fall=x", "how many bad"),
            ("tcp,interval=off", "is no time of a check"), ("tcp,interval=2h", "is no time of a check"),
            ("tcp,interval=1s", "choose a longer interval"), ("tcp,host=a", "is no option of this check"),
            ("udp,status=200", "is no option of this check"), ("http:/,status=99", "is not a status"),
            ("http:/,status=300-200", "runs backwards"), ("http:/,status=200-", "is not a status"),
            ("http:/,host=a b", "is no name of a host"), ("http:/,host=", "is no name of a host"),
            ("http:/,path=/x", "is no option of this check"),
        ])
    func refused(text: String, words: String) {
        let error = #expect(throws: InputError.self) { try HealthCheck(text) }
        #expect(error?.description.contains(words) == true, "\(String(describing: error))")
    }
}
