/// Data that a command prints, as a table for people and as JSON for programs.
protocol Display: Encodable {
    /// The table, line by line.
    var lines: [String] { get }
}

extension Display {
    /// The JSON document.
    func document() throws -> String { try JSONText.encode(self).printableJSON }
}

extension FormatOptions {
    func print(_ display: some Display) throws {
        switch format {
        case .table: try StandardOutput.print(display.lines)
        case .json: try StandardOutput.print(json: try JSONText.encode(display))
        }
    }
}

/// `1 task`, `2 tasks`.
func counted(_ count: Int, _ noun: String) -> String { count == 1 ? "1 \(noun)" : "\(count) \(noun)s" }
