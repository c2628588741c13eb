/// The fields of a line, separated by any number of spaces. Behind the last field, all fields are empty.
struct LineFields {
    typealias Field = Slice<UnsafeBufferPointer<UInt8>>

    var rest: Field

    mutating func next() -> Field {
        let space = UInt8(ascii: " ")
        let start = rest.firstIndex { $0 != space } ?? rest.endIndex
        let end = rest[start...].firstIndex(of: space) ?? rest.endIndex
        defer { rest = rest[end...] }
        return rest[start..<end]
    }
}
