import ArgumentParser

/// The program: its subcommands.
@main
struct Leitstand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "leitstand",
        abstract: "The alarm and event server of police control centres.",
        subcommands: [
            Serve.self, Migrate.self, Token.self, Replay.self, Import.self, Report.self,
            Verify.self,
        ])
}
