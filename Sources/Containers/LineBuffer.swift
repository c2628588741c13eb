/// Collects the bytes of a stream into lines.
package struct LineBuffer {
    private var rest: [UInt8] = []

    /// The number of bytes that are no whole line yet.
    package var unfinished: Int { rest.count }

    package init() {}

    /// The lines that the bytes complete, without their ends.
    package mutating func take(_ bytes: [UInt8]) -> [[UInt8]] {
        rest += bytes
        var lines = rest.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).map(Array.init)
        rest = lines.removeLast()
        return lines
    }
}
