import PostgreSQL
import TestSupport
import Testing

/// What a schedule in Berlin says. On 29 March 2026 the clocks go from 02:00 to 03:00, on
/// 25 October from 03:00 back to 02:00, both at 01:00 UTC.
@Suite struct `A weekly schedule` {
    struct Example: Sendable, CustomTestStringConvertible {
        let name: String
        /// Nil: always.
        let schedule: String?
        let from: String
        let to: String
        /// In UTC.
        let spans: [String]

        init(
            _ name: String, _ hours: String?, from: String, to: String, is spans: [String]
        ) {
            (self.name, schedule, self.from, self.to) = (name, hours, from, to)
            self.spans = spans
        }

        var testDescription: String { name }
    }

    private static func hours(_ days: String..., from: String, to: String) -> String {
        let names = days.map { "\"\($0)\"" }.joined(separator: ",")
        return #"[{"days":[\#(names)],"from":"\#(from)","to":"\#(to)"}]"#
    }

    private static func october(
        _ name: String, _ hours: String, is spans: String...
    ) -> Example {
        Example(
            name, hours, from: "2026-10-23 12:00Z", to: "2026-10-26 12:00Z", is: spans)
    }

    private static func march(_ name: String, _ hours: String, is spans: String...) -> Example {
        Example(name, hours, from: "2026-03-27 12:00Z", to: "2026-03-30 12:00Z", is: spans)
    }

    static let examples = [
        // From 22:00+02:00 to 03:00+01:00: six hours.
        october(
            "a night in which the clocks go back", hours("sat", from: "22:00", to: "03:00"),
            is: "10-24 20:00 to 10-25 02:00"),
        // From 22:00+01:00 to 03:00+02:00: four hours.
        march(
            "a night in which the clocks go forward", hours("sat", from: "22:00", to: "03:00"),
            is: "03-28 21:00 to 03-29 01:00"),
        october(
            "from 02:30, which comes twice: the first", hours("sun", from: "02:30", to: "04:00"),
            is: "10-25 00:30 to 10-25 03:00"),
        october(
            "to 02:30, which comes twice: the second", hours("sun", from: "01:00", to: "02:30"),
            is: "10-24 23:00 to 10-25 01:30"),
        october(
            "within the hour that comes twice", hours("sun", from: "02:30", to: "02:45"),
            is: "10-25 00:30 to 10-25 01:45"),
        october(
            "from the end of the hour that comes twice", hours("sun", from: "03:00", to: "04:00"),
            is: "10-25 02:00 to 10-25 03:00"),
        march(
            "from 02:30, which is skipped", hours("sun", from: "02:30", to: "04:00"),
            is: "03-29 01:30 to 03-29 02:00"),
        march(
            "to 02:30, which is skipped", hours("sun", from: "01:00", to: "02:30"),
            is: "03-29 00:00 to 03-29 01:30"),
        march(
            "within the hour that is skipped", hours("sun", from: "02:10", to: "02:40"),
            is: "03-29 01:10 to 03-29 01:40"),
        // 02:30 is read as 03:30, which is after the end.
        march(
            "from the skipped hour to soon after it", hours("sun", from: "02:30", to: "03:15")),
        october(
            "full days around the change", hours("sat", "sun", from: "00:00", to: "24:00"),
            is: "10-23 22:00 to 10-25 23:00"),
        october(
            "full days to the same time of the next",
            hours("sat", "sun", from: "00:00", to: "00:00"),
            is: "10-23 22:00 to 10-25 23:00"),
        march(
            "full days around the other change", hours("sat", "sun", from: "00:00", to: "24:00"),
            is: "03-27 23:00 to 03-29 22:00"),
        Example(
            "over midnight, on each day named",
            hours("fri", "sat", from: "16:00", to: "02:00"), from: "2026-06-04 22:00Z",
            to: "2026-06-07 22:00Z",
            is: ["06-05 14:00 to 06-06 00:00", "06-06 14:00 to 06-07 00:00"]),
        Example(
            "clipped, what began on the day before too",
            hours("fri", from: "16:00", to: "02:00"), from: "2026-06-05 23:00Z",
            to: "2026-06-05 23:30Z", is: ["06-05 23:00 to 06-05 23:30"]),
        Example(
            "what overlaps and what touches in one",
            #"""
            [{"days":["mon"],"from":"08:00","to":"10:00"},
            {"days":["mon"],"from":"09:00","to":"12:00"},
            {"days":["mon"],"from":"12:00","to":"13:00"},
            {"days":["mon"],"from":"14:00","to":"24:00"},
            {"days":["tue"],"from":"00:00","to":"01:00"}]
            """#, from: "2026-06-07 22:00Z", to: "2026-06-09 22:00Z",
            is: ["06-08 06:00 to 06-08 11:00", "06-08 12:00 to 06-08 23:00"]),
        Example(
            "none: always", nil, from: "2026-06-01 00:30Z", to: "2026-06-03 07:00Z",
            is: ["06-01 00:30 to 06-03 07:00"]),
        Example(
            "no hours: never", "[]", from: "2026-06-01 00:00Z", to: "2026-06-03 00:00Z", is: []),
        Example(
            "of no time", hours("mon", from: "00:00", to: "24:00"), from: "2026-06-01 10:00Z",
            to: "2026-06-01 10:00Z", is: []),
    ]

    @Test(arguments: examples)
    func `holds in the intervals that its local times mean`(example: Example) async throws {
        try await TestDatabase.with { database in
            let rows = try await database.query(
                """
                SELECT to_char(starts_at AT TIME ZONE 'UTC', 'MM-DD HH24:MI') || ' to '
                    || to_char(ends_at AT TIME ZONE 'UTC', 'MM-DD HH24:MI')
                FROM schedule_intervals(
                    $1::json, 'Europe/Berlin', $2::text::timestamptz, $3::text::timestamptz)
                """, .text(example.schedule), .text(example.from), .text(example.to))
            #expect(try (0..<rows.rowCount).map { try rows.text($0, 0) } == example.spans)

            // What covers an instant, and what covers a time, are asked apart: they must agree.
            let divided = try await database.number(
                """
                SELECT count(*) FROM generate_series(
                    $2::text::timestamptz, $3::text::timestamptz - interval '1 microsecond',
                    interval '5 minutes') AS at
                WHERE schedule_covers($1::json, 'Europe/Berlin', at) <> EXISTS (
                    SELECT FROM schedule_intervals(
                        $1::json, 'Europe/Berlin', $2::text::timestamptz, $3::text::timestamptz) i
                    WHERE at >= i.starts_at AND at < i.ends_at)
                """, .text(example.schedule), .text(example.from), .text(example.to))
            #expect(divided == 0)
        }
    }

    @Test func `covers from its beginning until before its end`() async throws {
        try await TestDatabase.with { database in
            let night = Self.hours("sat", from: "22:00", to: "03:00")
            let day = Self.hours("sun", from: "00:00", to: "24:00")
            let examples: [(hours: String?, at: String, covers: Bool)] = [
                (night, "2026-10-24 19:59:59.999999Z", false),
                (night, "2026-10-24 20:00Z", true),
                // 02:30 for the first time, and for the second.
                (night, "2026-10-25 00:30Z", true),
                (night, "2026-10-25 01:30Z", true),
                (night, "2026-10-25 01:59:59.999999Z", true),
                (night, "2026-10-25 02:00Z", false),
                (night, "2026-03-29 00:59:59.999999Z", true),
                (night, "2026-03-29 01:00Z", false),
                // The night before and the night after are of other days.
                (night, "2026-10-24 00:30Z", false),
                (night, "2026-10-26 00:30Z", false),
                (day, "2026-10-24 21:59:59.999999Z", false),
                (day, "2026-10-24 22:00Z", true),
                (day, "2026-10-25 22:59:59.999999Z", true),
                (day, "2026-10-25 23:00Z", false),
                ("[]", "2026-10-25 12:00Z", false),
                (nil, "2026-10-25 12:00Z", true),
            ]
            for example in examples {
                let covers = try await database.query(
                    "SELECT schedule_covers($1::json, 'Europe/Berlin', $2::text::timestamptz)",
                    .text(example.hours), .text(example.at)
                ).bool(0, 0)
                #expect(covers == example.covers, "\(example)")
            }
        }
    }
}
