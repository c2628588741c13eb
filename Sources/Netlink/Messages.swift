/// The messages of one call: their number, and how they are written.
///
/// The messages are written just before they are sent, a window at a time into one small buffer. Writing all of them
/// before the first is sent would fill memory that no cache holds. Also, the family and the sequence numbers are known
/// only then.
package struct Messages {
    package let count: Int
    /// Writes the messages of a range one after the other. It is called on the connection's thread, and once more for
    /// the same range if the kernel no longer knew the family's id.
    let write: (_ range: Range<Int>, _ writer: inout MessageWriter) -> Void

    package init(_ count: Int, write: @escaping (_ range: Range<Int>, _ writer: inout MessageWriter) -> Void) {
        self.count = count
        self.write = write
    }

    /// One message.
    package init(_ write: @escaping (inout MessageWriter) -> Void) {
        self.init(1) { _, writer in write(&writer) }
    }
}
