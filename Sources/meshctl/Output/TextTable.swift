/// A table for people: columns are as wide as their widest cell and two spaces apart; numbers are aligned to the right.
struct TextTable {
    struct Column: Sendable {
        var title: String
        var isNumeric = false
    }

    var columns: [Column]
    var rows: [[String]] = []

    func render() -> [String] {
        // Cells are escaped first, because an escape is wider than its character.
        let lines = [columns.map(\.title)] + rows.map { $0.map(\.printable) }
        let widths = columns.indices.map { column in lines.map { $0[column].count }.max() ?? 0 }
        return lines.map { line in
            let cells = columns.indices.map { column in
                let padding = String(repeating: " ", count: widths[column] - line[column].count)
                return columns[column].isNumeric ? padding + line[column] : line[column] + padding
            }
            let text = cells.joined(separator: "  ")
            return String(text.reversed().drop { $0 == " " }.reversed())
        }
    }
}
