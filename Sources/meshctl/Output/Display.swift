/// What a command prints: the same data for a person and for a program.
protocol Display: Encodable {
    var table: TextTable { get }
}

extension FormatOptions {
    func print(_ display: some Display) throws {
        switch format {
        case .table: Swift.print(display.table.render())
        case .json: Swift.print(try JSONText.encode(display))
        }
    }
}
