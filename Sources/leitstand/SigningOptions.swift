import ArgumentParser
import PostgreSQL

/// By which key reports are signed.
struct SigningOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "The key that signs reports, PEM (LEITSTAND_SIGNING_KEY).",
            discussion: """
                By default signing-key.pem in the data directory. It is made when it is first \
                needed; several servers on one database need the same.
                """))
    var signingKey: String?

    func file(beside database: DatabaseOptions) -> String {
        if let file = signingKey ?? environment("LEITSTAND_SIGNING_KEY") { return file }
        // Beside an existing database nothing else makes the directory. Why it cannot be made is told
        // when the key is needed: many a server never signs a report.
        _ = try? DataDirectory(creating: database.directory)
        return database.directory + "/signing-key.pem"
    }
}
