/// The first two parts of a kernel's version.
package struct KernelVersion: Hashable, Sendable, Comparable {
    /// The first part: 6 of 6.12.
    package var major: Int
    /// The second part: 12 of 6.12.
    package var minor: Int

    /// The lower version is less.
    package static func < (lhs: Self, rhs: Self) -> Bool { (lhs.major, lhs.minor) < (rhs.major, rhs.minor) }
}

extension KernelVersion {
    /// Parses the output of `uname -r`: `6.12.117+deb12-amd64`.
    init?(release: some StringProtocol) {
        let parts = release.split(separator: ".", maxSplits: 2)
        guard parts.count >= 2, let major = Int(parts[0]),
            let minor = Int(parts[1].prefix { ("0"..."9").contains($0) })
        else { return nil }
        self.init(major: major, minor: minor)
    }
}
