/// Splits a migration into its statements.
enum SQLScript {
    /// The statements, without their semicolons. Comments, quotes and `$$` bodies are respected;
    /// PostgreSQL's other dollar tags and nested comments are not used in migrations.
    static func statements(of script: String) -> [String] {
        var statements: [String] = []
        var current = ""
        var rest = Substring(script)
        func finish() {
            let isBlank = current.allSatisfy(\.isWhitespace)
            if !isBlank { statements.append(current) }
            current = ""
        }
        while let character = rest.first {
            if rest.hasPrefix("--") {
                let line = rest.prefix { !$0.isNewline }
                rest = rest.dropFirst(line.count)
            } else if rest.hasPrefix("$$") {
                current += take(through: "$$", from: &rest)
            } else if character == "'" {
                current += take(through: "'", from: &rest)
            } else if character == ";" {
                rest = rest.dropFirst()
                finish()
            } else {
                current.append(character)
                rest = rest.dropFirst()
            }
        }
        finish()
        return statements
    }

    /// Takes a quoted part with both of its delimiters. A doubled quote reads as two parts.
    private static func take(through delimiter: String, from rest: inout Substring) -> String {
        var taken = delimiter
        rest = rest.dropFirst(delimiter.count)
        while !rest.isEmpty, !rest.hasPrefix(delimiter) { taken.append(rest.removeFirst()) }
        rest = rest.dropFirst(delimiter.count)
        return taken + delimiter
    }
}
