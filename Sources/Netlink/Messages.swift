/// The messages of one call: how many there are, and how they are written.
///
/// They are written when they are about to be sent, a window at a time and into one small buffer, instead of all
/// before the first is sent: a large call would fill memory that no cache holds. It also is when the family and the
/// sequence numbers are known.
package struct Messages {
    package let count: Int
    /// Writes the messages of a range, one behind the other. Called on the connection's thread, and once more for the
    /// same range where the kernel did not know the family any more.
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
