/// The lines of a table that is read.
struct TableText {
    private struct Line {
        var number: Int
        var text: Substring.UTF8View.SubSequence
        var options: OptionLine
    }

    private var lines: [Line] = []

    init(_ text: some StringProtocol) throws(TableTextError) {
        var number = 0
        for line in Substring(text).utf8.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false) {
            number += 1
            let options = try Self.naming(number, line) { () throws(LineProblem) in try OptionLine(line) }
            if !options.given.isEmpty { lines.append(Line(number: number, text: line, options: options)) }
        }
    }

    func table() throws(TableTextError) -> Table {
        var services: [VirtualService.ID: VirtualService] = [:]
        var destinations: [VirtualService.ID: [Destination.ID: Destination]] = [:]
        // Services are read first, because a destination may stand before its service.
        for line in lines {
            try Self.naming(line.number, line.text) { () throws(LineProblem) in
                guard let command = line.options.given[.command]?.meaning else {
                    throw LineProblem("the line has neither -A nor -a")
                }
                guard case .addService = command else { return }
                let service = try line.options.service()
                guard services.updateValue(service, forKey: service.id) == nil else {
                    throw LineProblem("service \(service.id) appears twice")
                }
            }
        }
        for line in lines {
            try Self.naming(line.number, line.text) { () throws(LineProblem) in
                guard case .addServer = line.options.given[.command]?.meaning else { return }
                let id = try line.options.serviceID()
                guard services[id] != nil else { throw LineProblem("no line adds service \(id)") }
                let destination = try line.options.destination(of: id)
                guard destinations[id, default: [:]].updateValue(destination, forKey: destination.id) == nil else {
                    throw LineProblem("destination \(destination.id) of \(id) appears twice")
                }
            }
        }
        return Table(services.values.map { Table.Entry($0, destinations[$0.id] ?? [:]) })
    }

    /// Reads a text that has one line.
    static func only<Value>(
        _ text: some StringProtocol, _ read: (OptionLine) throws(LineProblem) -> Value
    ) throws(TableTextError) -> Value {
        let lines = try TableText(text).lines
        guard let line = lines.first else { throw TableTextError(line: 1, text: "", reason: "the text is empty") }
        let value = try naming(line.number, line.text) { () throws(LineProblem) in try read(line.options) }
        guard lines.count == 1 else {
            throw TableTextError(
                line: lines[1].number, text: trimmed(lines[1].text), reason: "the text has more than one line")
        }
        return value
    }

    private static func naming<Value>(
        _ number: Int, _ text: Substring.UTF8View.SubSequence, _ body: () throws(LineProblem) -> Value
    ) throws(TableTextError) -> Value {
        do throws(LineProblem) {
            return try body()
        } catch {
            throw TableTextError(line: number, text: trimmed(text), reason: error.reason)
        }
    }

    private static func trimmed(_ text: Substring.UTF8View.SubSequence) -> String {
        let isSpace = { (byte: UInt8) in byte <= 0x20 }
        let start = text.drop(while: isSpace)
        return String(
            decoding: start.prefix(start.count - start.reversed().prefix(while: isSpace).count), as: UTF8.self)
    }
}
