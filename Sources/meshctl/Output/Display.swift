/// What a command prints: the same data for a person and for a program.
protocol Display: Encodable {
    var text: String { get }
}

extension FormatOptions {
    func print(_ display: some Display) throws {
        switch format {
        case .table: Swift.print(display.text)
        case .json: Swift.print(try JSONText.encode(display))
        }
    }
}
