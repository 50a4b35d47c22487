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
    public func migrate(_ connection: PostgreSQLConnection) async throws(MigrationError) -> [String] {
        do {
            _ = try await connection.execute(
                Statement("SELECT pg_advisory_lock(\(Self.lockKey))"))
            _ = try await connection.execute(
                Statement(
                    """
                    CREATE TABLE IF NOT EXISTS migrations (
                        name text PRIMARY KEY,
                        checksum bytea NOT NULL,
                        applied_at timestamptz NOT NULL DEFAULT now()
                    )
                    """))
        } catch {
            throw .postgreSQL(error)
        }
        try await refuseUnknown(connection)
        var applied: [String] = []
        for migration in migrations {
            if try await apply(migration, connection) { applied.append(migration.name) }
        }
        do {
            _ = try await connection.execute(
                Statement("SELECT pg_advisory_unlock(\(Self.lockKey))"))
        } catch {
            throw .postgreSQL(error)
        }
        return applied
    }

    private static let lockKey = 7_236_000

    private func refuseUnknown(_ connection: PostgreSQLConnection) async throws(MigrationError) {
        do {
            let result = try await connection.execute(
                Statement(
                    "SELECT name FROM migrations WHERE name <> ALL ($1) ORDER BY name LIMIT 1",
                    .texts(migrations.map(\.name))))
            if result.rowCount == 1 {
                throw MigrationError.unknown(try result.text(0, 0))
            }
        } catch let error as PostgreSQLError {
            throw .postgreSQL(error)
        } catch let error as MigrationError {
            throw error
        } catch {
            throw .changed("\(error)")
        }
    }

    private func apply(_ migration: EmbeddedFile, _ connection: PostgreSQLConnection)
        async throws(MigrationError) -> Bool
    {
        do {
            let known = try await connection.execute(
                Statement(
                    "SELECT checksum = sha256($2) FROM migrations WHERE name = $1",
                    .text(migration.name), .bytes(migration.bytes)))
            if known.rowCount == 1 {
                guard try known.bool(0, 0) else { throw MigrationError.changed(migration.name) }
                return false
            }
            // A pipeline takes one statement at a time; a migration is many. A DO block would
            // hide its errors' lines, so the statements are split and sent one by one.
            _ = try await connection.execute(
                [Statement("BEGIN")]
                    + SQLScript.statements(of: migration.text).map { Statement($0) }
                    + [
                        Statement(
                            "INSERT INTO migrations (name, checksum) VALUES ($1, sha256($2))",
                            .text(migration.name), .bytes(migration.bytes)),
                        Statement("COMMIT"),
                    ])
            return true
        } catch let error as PostgreSQLError {
            throw .postgreSQL(error)
        } catch let error as MigrationError {
            throw error
        } catch {
            throw .changed("\(error)")
        }
    }
}
