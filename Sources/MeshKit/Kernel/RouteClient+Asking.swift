import Netlink

extension RouteClient {
    /// Runs the body, which asks the client, and adds the operation to its error.
    func asking<Value>(
        _ operation: String, _ body: () async throws(NetlinkError) -> Value
    ) async throws(PlaceError) -> Value {
        do throws(NetlinkError) {
            return try await body()
        } catch {
            throw PlaceError(operation, error)
        }
    }
}
