/// A running container, as a Docker or Podman engine describes it.
public struct Container: Hashable, Sendable {
    /// The name, by which it is found again after it was started anew.
    public var name: String
    /// The number of the container's first process.
    public var process: Int32

    /// A container by its parts.
    public init(name: String, process: Int32) {
        self.name = name
        self.process = process
    }

    /// The file of the container's network namespace.
    public var namespace: String { "/proc/\(process)/ns/net" }

    /// Checks that a text can be the name, or a part of the id, of a container.
    public static func validate(name: String) throws(InputError) {
        func isWord(_ byte: UInt8) -> Bool {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"):
                true
            default: false
            }
        }
        let marks = "_.-".utf8
        guard let first = name.utf8.first, isWord(first), name.utf8.count <= 255,
            name.utf8.allSatisfy({ isWord($0) || marks.contains($0) })
        else {
            throw InputError(
                "\(name.prefix(60).debugDescription) is no name of a container: letters, digits, '-', '_' and '.', "
                    + "beginning with a letter or digit")
        }
    }
}
