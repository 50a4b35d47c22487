import PostgreSQL
import TestSupport
import Testing

@Suite struct `The role that the server works as` {
    private static let recorded = [
        "journal", "positions", "remarks", "verdicts", "detections", "detections_default",
        "detections_20261124", "incident_ledger", "intervention_ledger",
        "alarm_ledger", "detection_ledger", "detection_runs", "refusal_ledger",
        "camera_periods", "area_periods", "pattern_periods", "coverage_ledger",
        "coverage_recordings", "reports", "report_keys", "report_releases", "ledger_runs",
        "ledger_sums", "ledger_firsts", "incident_cells", "incident_arrival_cells",
        "intervention_cells", "intervention_arrival_cells",
        "alarm_cells", "detection_cells", "assessment_cells", "refusal_cells",
        "coverage_cells", "camera_day_ledger", "camera_day_cells",
        "annunciation_ledger", "annunciation_cells", "observer_position_periods", "load_ledger",
        "load_recordings", "load_cells",
    ]

    @Test(arguments: recorded)
    func `can change and remove nothing that is recorded`(table: String) async throws {
        try await TestDatabase.with { database in
            try await database.queryAsRuntime(
                "SELECT ensure_detection_partitions('2026-11-24', '2026-11-24')")
            let column = try await database.query(
                "SELECT attname FROM pg_attribute WHERE attrelid = '\(table)'::regclass AND attnum = 1"
            ).text(0, 0)

            for change in [
                "UPDATE \(table) SET \(column) = \(column)", "DELETE FROM \(table)",
                "TRUNCATE \(table)",
            ] {
                let error = await #expect(throws: PostgreSQLError.self) {
                    try await database.queryAsRuntime(change)
                }
                #expect(error?.state == .insufficientPrivilege, "\(change)")
            }
        }
    }

    @Test func `appends to what is recorded`() async throws {
        try await TestDatabase.with { database in
            for insertion in [
                "INSERT INTO positions VALUES (1, 1, now())",
                "INSERT INTO remarks VALUES (gen_random_uuid(), 'mannheim', 'salt', 'text')",
                """
                INSERT INTO journal (change, ordinal, event, subject, occurred_at, document)
                VALUES (1, 1, 'alarm.raised', 'x', now(), '{}')
                """,
                """
                INSERT INTO detections (site, id, occurred_at, received_at, node, camera, pattern,
                    operating_mode, model, confidence, counted_only, late, content_hash, change)
                VALUES ('mannheim', gen_random_uuid(), now(), now(), gen_random_uuid(),
                    gen_random_uuid(), 'hitting', 'production', '', 0.9, false, false, 'hash', 1)
                """,
            ] {
                let result = try await database.queryAsRuntime(insertion)
                #expect(result.affectedRows == 1)
            }
        }
    }

    @Test func `owns nothing and is no superuser`() async throws {
        try await TestDatabase.with { database in
            let owned = try await database.number(
                """
                SELECT count(*) FROM pg_shdepend JOIN pg_roles ON pg_roles.oid = refobjid
                WHERE rolname = 'leitstand' AND deptype = 'o'
                """)
            let powers = try await database.number(
                """
                SELECT count(*) FROM pg_roles WHERE rolname = 'leitstand'
                    AND (rolsuper OR rolcreaterole OR rolcreatedb OR rolbypassrls)
                """)
            #expect(owned == 0)
            #expect(powers == 0)
        }
    }

    @Test func `reads tokens but changes only their revocation`() async throws {
        try await TestDatabase.with { database in
            let revocation = try await database.queryAsRuntime(
                "UPDATE tokens SET revoked_at = now()")
            #expect(revocation.commandTag == "UPDATE 0")

            for change in ["UPDATE tokens SET role = 'administrator'", "DELETE FROM tokens"] {
                let error = await #expect(throws: PostgreSQLError.self) {
                    try await database.queryAsRuntime(change)
                }
                #expect(error?.state == .insufficientPrivilege)
            }
        }
    }
}
