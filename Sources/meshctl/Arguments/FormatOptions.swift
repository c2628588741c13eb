import ArgumentParser

/// The options of commands that print data.
struct FormatOptions: ParsableArguments {
    enum Format: String, ExpressibleByArgument, CaseIterable {
        case table, json
    }

    @Option(help: "The format of the output.")
    var format = Format.table
}
