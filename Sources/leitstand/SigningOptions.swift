import ArgumentParser

/// By which key reports are signed.
struct SigningOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "The key that signs reports, PEM (LEITSTAND_SIGNING_KEY).",
            discussion: """
                By default signing-key.pem in the data directory. It is made with the first report; \
                several servers on one database need the same.
                """))
    var signingKey: String?

    func file(beside database: DatabaseOptions) -> String {
        signingKey ?? environment("LEITSTAND_SIGNING_KEY")
            ?? database.directory + "/signing-key.pem"
    }
}
