import Testing

@testable import RuleKit

#if canImport(Glibc)
    import Glibc
#endif

/// A process without free descriptors gets an error and continues: the libraries alone would end it.
@Suite struct DescriptorTests {
    /// A process of its own runs with no free descriptor, with one, and so on, up to the number that is needed and
    /// beyond.
    @Test func aProcessWithoutDescriptorsIsNotEnded() async {
        await #expect(processExitsWith: .exitCode(42)) {
            // Descriptors that the process opens once and keeps are opened before.
            _ = try? await NFTablesBackend().read(expecting: .balancer(detour: nil))
            _ = try? await IPSetLibrary(namespace: nil).names()
            var limit = rlimit(rlim_cur: 128, rlim_max: 128)
            setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
            var taken: [CInt] = []
            while true {
                let descriptor = open("/dev/null", O_RDONLY | O_CLOEXEC)
                if descriptor < 0 { break }
                taken.append(descriptor)
            }
            for left in 0...8 {
                if left > 0 { close(taken.removeLast()) }
                let rules = await failure { _ = try await NFTablesBackend().read(expecting: .balancer(detour: nil)) }
                let sets = await failure { _ = try await IPSetLibrary(namespace: nil).names() }
                guard left == 0 else { continue }
                for error in [rules, sets] {
                    guard let error, error.code == .refused, error.reason.contains("Too many open files") else {
                        print("with none left: \(String(describing: error))")
                        exit(1)
                    }
                }
            }
            exit(42)
        }
    }
}

private func failure(_ body: () async throws -> Void) async -> RuleError? {
    do {
        try await body()
        return nil
    } catch {
        return error as? RuleError
    }
}
