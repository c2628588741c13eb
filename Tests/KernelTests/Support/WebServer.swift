import SystemPackage
import TestSupport

#if canImport(Glibc)
    import Glibc
#endif

/// nginx in a task: `/` is its name, and `/big` a file that takes some seconds to download.
struct WebServer: Sendable {
    /// The length of the file, in bytes.
    static let length = 100_000

    let name: String
    private let namespace: TestNamespace
    private let directory: FilePath
    private let seconds: Int

    /// Starts the server.
    ///
    /// - Parameter seconds: how long a download takes.
    init(_ name: String, in namespace: TestNamespace, below folder: FilePath, seconds: Int) async throws {
        self.name = name
        self.namespace = namespace
        self.seconds = seconds
        directory = folder.appending("nginx-\(name)")
        try await Shell.check("mkdir", "-p", directory.appending("files").string)
        try directory.appending("files/index.html").write(name)
        try directory.appending("files/big").write(String(repeating: "x", count: Self.length))
        try await start()
    }

    func start() async throws {
        try await namespace.startNginx(
            in: directory,
            location: "root \(directory)/files; limit_rate \(Self.length / seconds); keepalive_requests 10000;")
    }

    /// Ends it at once, and every connection with it.
    func stop() async throws {
        guard let number = pid_t(try directory.appending("pid").text().split(separator: "\n").first ?? "") else {
            return
        }
        kill(number, SIGTERM)
        let deadline = ContinuousClock.now + .seconds(10)
        while kill(number, 0) == 0, ContinuousClock.now < deadline { try await Task.sleep(for: .milliseconds(10)) }
    }
}
