/// A message with fields as the agent's log has it: `message key=value key="two words"`.
enum LogLine {
    static func text(_ message: String, _ fields: [String: String]) -> String {
        message + fields.sorted { $0.key < $1.key }.map { " \($0.key)=\($0.value.asLogValue)" }.joined()
    }
}

extension String {
    /// The text as the value of a field: in quotation marks if it could be taken for several fields.
    fileprivate var asLogValue: String {
        guard isEmpty || contains(where: { " \"=".contains($0) }) else { return self }
        return "\"" + replacing("\\", with: "\\\\").replacing("\"", with: "\\\"") + "\""
    }
}
