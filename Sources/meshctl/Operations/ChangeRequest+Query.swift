import AgentAPI
import Containers

extension ChangeRequest {
    /// The query, which begins with a question mark unless there is none.
    var query: String {
        let fields =
            flags.sorted().map { "\($0)=true" }
            + texts.sorted { $0.key < $1.key }.map { "\($0)=\(EngineClient.escaped($1))" }
        return fields.isEmpty ? "" : "?" + fields.joined(separator: "&")
    }
}
