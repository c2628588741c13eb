/// What a command prints: the same data for a person and for a program.
protocol Display: Encodable {
    /// For a person.
    var lines: [String] { get }
}

extension FormatOptions {
    func print(_ display: some Display) throws {
        switch format {
        case .table: try StandardOutput.print(display.lines)
        case .json: try StandardOutput.print(json: try JSONText.encode(display))
        }
    }
}
