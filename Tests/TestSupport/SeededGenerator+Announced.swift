#if canImport(Glibc)
    import Glibc
#endif

extension SeededGenerator {
    /// Makes a generator with a new seed, which is printed, or with the seed in `MESHCTL_SEED`, to repeat a failure.
    package static func announced(_ test: String = #function, file: String = #fileID) -> SeededGenerator {
        let given = getenv("MESHCTL_SEED").flatMap { UInt64(String(cString: $0)) }
        let seed = given ?? UInt64.random(in: 0 ... .max)
        print("\(file) \(test): MESHCTL_SEED=\(seed)")
        return SeededGenerator(seed: seed)
    }
}
