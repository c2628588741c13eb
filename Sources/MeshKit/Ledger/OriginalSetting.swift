/// A kernel setting that this node has changed.
public struct OriginalSetting: Hashable, Sendable, Codable {
    /// The value before the first write.
    public var found: String
    /// The value that it has since: what was written, or what the kernel made of it when another setting was written.
    /// Any other value that is found later is somebody else's.
    public var written: String

    /// A setting by its two values.
    public init(found: String, written: String) {
        self.found = found
        self.written = written
    }
}
