/// The values that the connection's thread collects for a caller, which reads them only after the thread has finished.
final class Gathered<Element> {
    /// The values; nil once a message could not be read as a whole value.
    private(set) var elements: [Element]? = []

    func take(_ element: Element?) {
        if let element { elements?.append(element) } else { elements = nil }
    }

    /// Forgets what was gathered.
    func restart() { elements = [] }
}
