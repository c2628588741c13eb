import ArgumentParser

/// What every command takes that prints data.
struct FormatOptions: ParsableArguments {
    enum Format: String, ExpressibleByArgument, CaseIterable {
        case table, json
    }

    @Option(help: "How data is printed.")
    var format = Format.table
}
