/// Columns as wide as their widest cell, two spaces apart; numbers to the right.
struct TextTable {
    struct Column {
        var title: String
        var isNumeric = false
    }

    var columns: [Column]
    var rows: [[String]] = []

    func render() -> [String] {
        // Before the columns are made as wide as what is shown.
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
