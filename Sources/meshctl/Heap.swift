#if canImport(Glibc)
    import Glibc
#endif

/// The C library's heap.
enum Heap {
    /// Lets all threads share one heap (`mallopt(M_ARENA_MAX, 1)`). An agent starts threads with each pass; glibc would give
    /// many of them a heap of their own, and memory that was freed in one of those serves no other.
    static func share() {
        // The module Glibc has no malloc.h, and other C libraries have no such function.
        typealias SetOption = @convention(c) (_ option: CInt, _ value: CInt) -> CInt
        guard let symbol = dlsym(nil, "mallopt") else { return }
        let arenaMaximum: CInt = -8
        _ = unsafeBitCast(symbol, to: SetOption.self)(arenaMaximum, 1)
    }
}
