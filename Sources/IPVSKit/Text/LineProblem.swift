/// The mistake in a line, before the number of the line is known.
struct LineProblem: Error {
    var reason: String
    init(_ reason: String) { self.reason = reason }
}
