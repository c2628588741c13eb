import ArgumentParser

/// Mistakes in the arguments, of which the argument parser says less than it could.
extension Meshctl {
    /// The text for a mistake that a command finds once it runs. It names the command, as for one that is found before.
    static func text(of mistake: ValidationError, in command: any ParsableCommand.Type) -> String {
        let names = names(of: command) ?? [_commandName]
        return """
            \(_errorPrefix)\(mistake.message)
            Usage: \(usageString(for: command))
              See '\(names.joined(separator: " ")) --help' for more information.
            """
    }

    /// The text with a hint, if an unknown option is one that the command has to whose left it stands.
    ///
    /// - Parameters:
    ///   - text: what the argument parser says.
    ///   - arguments: the command line without the program.
    static func hinting(_ text: String, about arguments: [String]) -> String {
        let start = "\(_errorPrefix)Unknown option '"
        guard text.hasPrefix(start) else { return text }
        let option = text.dropFirst(start.count).prefix { $0 != "'" }
        let (command, names, end) = command(in: arguments)
        guard
            let place = arguments.firstIndex(where: { $0 == option || $0.hasPrefix("\(option)=") }), place < end,
            hasOption(String(option), command)
        else { return text }
        let rest = text.drop { $0 != "\n" }
        return "\(start)\(option)'; write it after the command, `\(names.joined(separator: " "))`\(rest)"
    }

    /// The command that a command line names, the words of its name, and where in the line the last of them is.
    private static func command(
        in arguments: [String]
    ) -> (command: any ParsableCommand.Type, names: [String], end: Int) {
        var found: (command: any ParsableCommand.Type, names: [String], end: Int) = (Meshctl.self, [_commandName], -1)
        for (index, word) in arguments.enumerated() {
            let next = found.command.configuration.subcommands.first { $0.configuration.commandName == word }
            if let next { found = (next, found.names + [word], index) }
        }
        return found
    }

    /// Whether the help of a command lists an option.
    private static func hasOption(_ option: String, _ command: any ParsableCommand.Type) -> Bool {
        helpMessage(for: command, columns: 120).split(separator: "\n").contains { line in
            let words = line.split { $0 == " " || $0 == "," }
            return words.first?.hasPrefix("-") == true && words.prefix { $0.hasPrefix("-") }.contains { $0 == option }
        }
    }

    /// The words of a command's name, the program's first; nil if it is none of this program's.
    private static func names(
        of command: any ParsableCommand.Type, below parent: any ParsableCommand.Type = Meshctl.self
    ) -> [String]? {
        let own = parent.configuration.commandName ?? ""
        if ObjectIdentifier(parent) == ObjectIdentifier(command) { return [own] }
        for child in parent.configuration.subcommands {
            if let names = names(of: command, below: child) { return [own] + names }
        }
        return nil
    }
}
