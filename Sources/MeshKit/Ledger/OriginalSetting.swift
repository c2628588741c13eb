/// A kernel setting that this node has changed.
public struct OriginalSetting: Hashable, Sendable, Codable {
    /// The value before the first write.
    public var found: String
    /// The value since then: the value that this node wrote, or that the kernel wrote when this node wrote another
    /// setting. If another value is found later, somebody else has set it.
    public var written: String

    /// A setting by its two values.
    public init(found: String, written: String) {
        self.found = found
        self.written = written
    }
}
