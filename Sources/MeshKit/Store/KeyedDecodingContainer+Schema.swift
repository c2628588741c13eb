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
}
