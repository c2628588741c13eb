/// What the connection's thread gathers for a caller, who looks only once that thread is done.
final class Gathered<Element> {
    /// Nil once one was no whole one.
    private(set) var elements: [Element]? = []

    func take(_ element: Element?) {
        if let element { elements?.append(element) } else { elements = nil }
    }

    /// Forgets what was gathered.
    func restart() { elements = [] }
}
