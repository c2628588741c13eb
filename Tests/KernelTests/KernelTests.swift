import Testing

#if canImport(Glibc)
    import Glibc
#endif

/// What takes a real kernel with IPVS, and root. `make test` runs it in one (`scripts/lab`); a plain `swift test`
/// leaves it out. Where it is asked for, nothing is skipped: what cannot run fails.
///
/// One at a time: namespaces are a test's own, but modules and processor are not.
@Suite(
    .serialized, .enabled(if: getenv("MESHCTL_KERNEL_LANE") != nil, "takes a kernel with IPVS: run `make test`"),
    .timeLimit(.minutes(getenv("MESHCTL_SOAK") == nil ? 10 : 180)))
enum KernelTests {}
