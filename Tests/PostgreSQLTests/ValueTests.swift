import PostgreSQL
import Testing

@Suite struct `Values` {
    @Test func `come back as they were sent`() async throws {
        try await withConnection { connection, _ in
            let id = PostgreSQLUUID(high: 0x0199_0000_0000_7abc, low: 0x8000_0000_0000_0001)

            let result = try await connection.execute(
                Statement(
                    "SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10",
                    .bool(true), .int16(-2), .int32(.min), .int64(.max), .double(-0.1),
                    .text("Schlägerei 👊"), .bytes([0, 255, 10]), .uuid(id),
                    .timestamp(microsecondsSinceUnixEpoch: 1_700_000_000_123_456),
                    .json(Array(#"{"a": 1}"#.utf8))))

            #expect(result.rowCount == 1 && result.columnCount == 10)
            #expect(try result.bool(0, 0))
            #expect(try result.int32(0, 1) == -2)
            #expect(try result.int32(0, 2) == .min)
            #expect(try result.int64(0, 3) == .max)
            #expect(try result.double(0, 4) == -0.1)
            #expect(try result.text(0, 5) == "Schlägerei 👊")
            #expect(try result.bytes(0, 6) == [0, 255, 10])
            #expect(try result.uuid(0, 7) == id)
            #expect(try result.timestampMicroseconds(0, 8) == 1_700_000_000_123_456)
            #expect(try result.text(0, 9) == #"{"a": 1}"#)
        }
    }

    @Test func `mean the same to PostgreSQL`() async throws {
        try await withConnection { connection, _ in
            let result = try await connection.execute(
                Statement(
                    """
                    SELECT $1::timestamptz = '1969-12-31 23:59:59.999999+00',
                           $2::uuid = '01990000-0000-7abc-8000-000000000001',
                           $3::double precision = 1.5, $4::bytea = '\\x00ff', $5::text = '',
                           $6::json->>'a' = 'b'
                    """,
                    .timestamp(microsecondsSinceUnixEpoch: -1),
                    .uuid(
                        PostgreSQLUUID(high: 0x0199_0000_0000_7abc, low: 0x8000_0000_0000_0001)),
                    .double(1.5), .bytes([0, 255]), .text(""), .json(Array(#"{"a":"b"}"#.utf8))))

            for column in 0..<6 { #expect(try result.bool(0, column), "column \(column)") }
        }
    }

    @Test func `may be NULL, each of its type`() async throws {
        try await withConnection { connection, _ in
            let statement = Statement(
                "SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10",
                .bool(nil), .int16(nil), .int32(nil), .int64(nil), .double(nil), .text(nil),
                .bytes(nil), .uuid(nil), .timestamp(microsecondsSinceUnixEpoch: nil), .json(nil))

            let result = try await connection.execute(statement)

            for column in 0..<10 { #expect(result.isNull(0, column)) }
            #expect(try result.boolIfPresent(0, 0) == nil)
            #expect(try result.int64IfPresent(0, 3) == nil)
            #expect(try result.doubleIfPresent(0, 4) == nil)
            #expect(try result.textIfPresent(0, 5) == nil)
            #expect(try result.bytesIfPresent(0, 6) == nil)
            #expect(try result.uuidIfPresent(0, 7) == nil)
            #expect(try result.timestampMicrosecondsIfPresent(0, 8) == nil)
        }
    }

    @Test func `of a statement first run with NULL are taken the next time`() async throws {
        try await withConnection { connection, _ in
            let sql = "SELECT $1 IS NULL"

            let first = try await connection.execute(Statement(sql, .int64(nil)))
            let second = try await connection.execute(Statement(sql, .int64(1 << 40)))

            #expect(try first.bool(0, 0))
            #expect(try !second.bool(0, 0))
        }
    }

    @Test func `travel in arrays, some of them NULL`() async throws {
        try await withConnection { connection, _ in
            let id = PostgreSQLUUID(high: 1, low: 2)

            let result = try await connection.execute(
                Statement(
                    """
                    SELECT * FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9)
                    """,
                    .bools([true, nil, false]), .int32s([1, nil, -3]), .int64s([1 << 40, nil, 3]),
                    .doubles([0.5, nil, 2.5]), .texts(["ä", nil, ""]),
                    .byteStrings([[0], nil, []]), .uuids([id, nil, id]),
                    .timestamps(microsecondsSinceUnixEpoch: [0, nil, 1]),
                    .jsons([Array("[1]".utf8), nil, Array("{}".utf8)])))

            #expect(result.rowCount == 3)
            for column in 0..<9 { #expect(result.isNull(1, column)) }
            #expect(try result.bool(0, 0) && !result.bool(2, 0))
            #expect(try result.int32(0, 1) == 1 && result.int32(2, 1) == -3)
            #expect(try result.int64(0, 2) == 1 << 40 && result.int64(2, 2) == 3)
            #expect(try result.double(0, 3) == 0.5 && result.double(2, 3) == 2.5)
            #expect(try result.text(0, 4) == "ä" && result.text(2, 4) == "")
            #expect(try result.bytes(0, 5) == [0] && result.bytes(2, 5) == [])
            #expect(try result.uuid(0, 6) == id && result.uuid(2, 6) == id)
            #expect(try result.timestampMicroseconds(2, 7) == 1)
            #expect(try result.text(2, 8) == "{}")
        }
    }

    @Test func `travel in empty arrays, too`() async throws {
        try await withConnection { connection, _ in
            let result = try await connection.execute(
                Statement("SELECT cardinality($1), cardinality($2)", .texts([]), .int64s([])))

            #expect(try result.int32(0, 0) == 0 && result.int32(0, 1) == 0)
        }
    }

    @Test func `that are read as another type are refused`() async throws {
        try await withConnection { connection, _ in
            let result = try await connection.execute(
                Statement("SELECT 1::bigint AS number, NULL::bigint, 'infinity'::timestamptz"))

            #expect(throws: PostgreSQLError.self) { try result.text(0, 0) }
            #expect(throws: PostgreSQLError.self) { try result.int32(0, 0) }
            #expect(throws: PostgreSQLError.self) { try result.int64(0, 1) }
            #expect(throws: PostgreSQLError.self) { try result.timestampMicroseconds(0, 2) }
        }
    }

    @Test(arguments: [.min, .min + 946_684_800_000_000, -300_000_000_000_000_000] as [Int64])
    func `of a time that PostgreSQL cannot hold are refused, not made infinite`(
        time: Int64
    ) async throws {
        try await withConnection { connection, _ in
            let error = await failure {
                try await connection.execute(
                    Statement("SELECT $1", .timestamp(microsecondsSinceUnixEpoch: time)))
            }

            #expect(error?.state == SQLState("22008"))
        }
    }
}
