extension KeyedDecodingContainer {
    /// Refuses a document whose layout is not the expected one.
    func require(schema expected: Int, forKey key: Key) throws {
        let found = try decode(Int.self, forKey: key)
        guard found == expected else {
            throw DecodingError.dataCorruptedError(
                forKey: key, in: self, debugDescription: "\(found) is not the layout \(expected)")
        }
    }
}
