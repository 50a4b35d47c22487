import Embedded
import EventLoop
import PostgreSQL

/// Why the database cannot be brought to the program's version.
public enum MigrationError: Error, CustomStringConvertible {
    case postgreSQL(PostgreSQLError)
    /// A migration that was applied differs from the one that the program carries.
    case changed(String)
    /// The database was migrated by a newer program.
    case unknown(String)

    public var description: String {
        switch self {
        case .postgreSQL(let error):
            "\(error)"
        case .changed(let name):
            "migration \(name) was applied with other content; a migration must never be edited"
        case .unknown(let name):
            "the database has migration \(name), which this program does not know; use the newer program"
        }
    }
}

/// Brings a database to the program's version: forward only, one transaction a migration.
///
/// Several instances may start at once on an empty database: an advisory lock lets one migrate
/// while the others wait, and then find nothing to do.
public struct Migrator {
    private let migrations: [EmbeddedFile]

    public init(migrations: [EmbeddedFile] = EmbeddedFile.migrations) {
        self.migrations = migrations
    }

    /// Applies what is missing, as the owner.
    ///
    /// - Returns: the names of the migrations that were applied.
    public func migrate(_ connection: PostgreSQLConnection) async throws(MigrationError) -> [String]
    {
        try await run(Statement("SELECT pg_advisory_lock(\(Self.lockKey))"), on: connection)
        try await run(
            Statement(
                """
                CREATE TABLE IF NOT EXISTS migrations (
                    name text PRIMARY KEY,
                    checksum bytea NOT NULL,
                    applied_at timestamptz NOT NULL DEFAULT now()
                )
                """), on: connection)
        let recorded = try await recordedMigrations(connection)
        for name in recorded.keys.sorted() where !migrations.contains(where: { $0.name == name }) {
            throw .unknown(name)
        }
        var applied: [String] = []
        for migration in migrations {
            if let isSame = recorded[migration.name] {
                guard isSame else { throw .changed(migration.name) }
            } else {
                try await apply(migration, connection)
                applied.append(migration.name)
            }
        }
        try await run(Statement("SELECT pg_advisory_unlock(\(Self.lockKey))"), on: connection)
        return applied
    }

    private static let lockKey = 7_236_000

    /// What was applied before, and whether with the content that this program carries.
    private func recordedMigrations(_ connection: PostgreSQLConnection)
        async throws(MigrationError) -> [String: Bool]
    {
        do throws(PostgreSQLError) {
            let result = try await connection.execute(
                Statement(
                    """
                    SELECT m.name, coalesce(m.checksum = sha256(carried.bytes), false)
                    FROM migrations m
                    LEFT JOIN unnest($1::text[], $2::bytea[]) AS carried (name, bytes) USING (name)
                    """,
                    .texts(migrations.map(\.name)), .byteStrings(migrations.map(\.bytes))))
            var recorded: [String: Bool] = [:]
            for row in 0..<result.rowCount {
                recorded[try result.text(row, 0)] = try result.bool(row, 1)
            }
            return recorded
        } catch {
            throw .postgreSQL(error)
        }
    }

    private func apply(_ migration: EmbeddedFile, _ connection: PostgreSQLConnection)
        async throws(MigrationError)
    {
        let record = Statement(
            "INSERT INTO migrations (name, checksum) VALUES ($1, sha256($2))",
            .text(migration.name), .bytes(migration.bytes))
        do throws(PostgreSQLError) {
            // A script of many statements is one transaction; the record is part of it.
            _ = try await connection.execute(Database.begin)
            _ = try await connection.executeScript(migration.text)
            try QueryResult.requireCommit(
                try await connection.execute([record, Database.commit])[1])
        } catch {
            throw .postgreSQL(error)
        }
    }

    private func run(_ statement: Statement, on connection: PostgreSQLConnection)
        async throws(MigrationError)
    {
        do throws(PostgreSQLError) {
            _ = try await connection.execute(statement)
        } catch {
            throw .postgreSQL(error)
        }
    }
}
