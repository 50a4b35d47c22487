import EventLoop
import Glibc
import PostgreSQL
import Testing

/// How fast one connection is; prints figures instead of judging, so runs only when asked for:
/// `LEITSTAND_MEASURE=1 swift test -c release --filter Measurements`.
@Suite(.serialized, .enabled(if: getenv("LEITSTAND_MEASURE") != nil))
struct `Measurements` {
    private func rate(_ count: Int, _ work: () async throws -> Void) async throws -> String {
        let clock = ContinuousClock()
        let start = clock.now
        try await work()
        return "\(Int(Double(count) / ((clock.now - start) / .seconds(1)))) per second"
    }

    /// Bytes of this process that are in memory.
    private func residentBytes() -> Int {
        guard let file = fopen("/proc/self/statm", "r") else { return 0 }
        defer { fclose(file) }
        var line = [CChar](repeating: 0, count: 128)
        fgets(&line, Int32(line.count), file)
        let text = String(decoding: line.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        return (Int(text.split(separator: " ")[1]) ?? 0) * Int(sysconf(Int32(_SC_PAGESIZE)))
    }

    @Test func `round trips`() async throws {
        try await withConnection { connection, _ in
            let select = Statement("SELECT 1")
            for _ in 0..<2_000 { try await connection.execute(select) }
            let before = residentBytes()
            let count = 50_000

            let alone = try await rate(count) {
                for _ in 0..<count { try await connection.execute(select) }
            }

            print("SELECT 1, one after the other: \(alone)")
            print("growth in \(count) round trips: \(residentBytes() - before) bytes")
        }
    }

    @Test(arguments: [1, 4, 16])
    func `pipelined round trips`(lanes: Int) async throws {
        try await withConnection { connection, loop in
            let count = 100_000

            let together = try await rate(count) {
                let tasks = (0..<lanes).map { _ in
                    Task {
                        _ = loop
                        for _ in 0..<count / lanes {
                            try await connection.execute(Statement("SELECT 1"))
                        }
                    }
                }
                for task in tasks { try await task.value }
            }

            print("SELECT 1, \(lanes) at a time: \(together)")
        }
    }

    @Test(arguments: [(64, 1), (64, 2), (64, 4), (128, 4)])
    func `groups of rows, each a transaction`(size: Int, outstanding: Int) async throws {
        try await withConnection { connection, loop in
            try await connection.executeScript(
                """
                CREATE UNLOGGED TABLE IF NOT EXISTS group_rows (
                    id uuid PRIMARY KEY, camera bigint NOT NULL, pattern text NOT NULL,
                    confidence double precision NOT NULL, occurred_at timestamptz NOT NULL,
                    attributes jsonb);
                TRUNCATE group_rows;
                """)
            let groups = 2_000
            let insert = """
                INSERT INTO group_rows SELECT * FROM unnest($1, $2, $3, $4, $5, $6)
                ON CONFLICT DO NOTHING
                """

            let rows = try await rate(groups * size) {
                let tasks = (0..<outstanding).map { task in
                    Task {
                        _ = loop
                        for group in 0..<groups / outstanding {
                            let numbers = (0..<size).map {
                                UInt64((task * groups + group) * size + $0)
                            }
                            let results = try await connection.execute([
                                Statement("BEGIN"),
                                Statement(
                                    insert,
                                    .uuids(numbers.map { PostgreSQLUUID(high: $0 << 16, low: 1) }),
                                    .int64s(numbers.map { Int64($0 % 100) }),
                                    .texts(numbers.map { _ in "hitting" }),
                                    .doubles(numbers.map { _ in 0.9 }),
                                    .timestamps(
                                        microsecondsSinceUnixEpoch: numbers.map { Int64($0) }),
                                    .jsons(numbers.map { _ in Array(#"{"a":1}"#.utf8) })),
                                Statement("COMMIT"),
                            ])
                            try QueryResult.requireCommit(results[2])
                        }
                    }
                }
                for task in tasks { try await task.value }
            }

            print("groups of \(size), \(outstanding) at a time: \(rows) (rows)")
        }
    }
}
