/// Who else on a node may need that a family is forwarded.
package struct Routers: Equatable, Sendable {
    /// Bridges, and rules that translate or forward packets, in words.
    package var found: Set<String> = []
    /// What may be one of these and could not be read, in words.
    package var unreadable: Set<String> = []

    package init() {}
}
