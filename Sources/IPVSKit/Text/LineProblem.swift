/// What is wrong with a line, before its number is known.
struct LineProblem: Error {
    var reason: String
    init(_ reason: String) { self.reason = reason }
}
