extension KeyedDecodingContainer {
    /// Refuses a document whose layout is not one of the expected ones.
    func require(schema expected: ClosedRange<Int>, forKey key: Key) throws {
        let found = try decode(Int.self, forKey: key)
        guard expected.contains(found) else {
            throw DecodingError.dataCorruptedError(
                forKey: key, in: self,
                debugDescription: "\(found) is none of the layouts \(expected.lowerBound) to \(expected.upperBound)")
        }
    }

    /// A generation. One that no number of edits reaches is refused, since the next edit could not be counted.
    func decodeGeneration(forKey key: Key) throws -> UInt64 {
        let generation = try decode(UInt64.self, forKey: key)
        guard generation <= MeshSpec.latestGeneration else {
            throw DecodingError.dataCorruptedError(
                forKey: key, in: self, debugDescription: "\(generation) is no generation")
        }
        return generation
    }
}
