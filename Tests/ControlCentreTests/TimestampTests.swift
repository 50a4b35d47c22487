import ControlCentre
import Testing

@Suite struct `Timestamps` {
    @Test(arguments: [
        ("2024-02-29T00:00:00Z", 1_709_164_800_000_000),
        ("1985-04-12T23:20:50.52Z", 482_196_050_520_000),
        ("1996-12-19T16:39:57-08:00", 851_042_397_000_000),
        ("1937-01-01T12:00:27.87+00:20", -1_041_337_172_130_000),
        ("1900-03-01T00:00:00Z", -2_203_891_200_000_000),
        ("2000-02-29T23:59:59-00:00", 951_868_799_000_000),
        ("2026-11-24t13:30:00.250+01:30", 1_795_521_600_250_000),
        ("2026-11-24T12:00:00.25z", 1_795_521_600_250_000),
        ("1969-12-31T23:59:59.999999Z", -1),
        ("0001-01-01T00:00:00Z", -62_135_596_800_000_000),
        ("0001-01-01T23:59:00+23:59", -62_135_596_800_000_000),
        ("9999-12-31T23:59:59.999999Z", 253_402_300_799_999_999),
    ])
    func `are read as RFC 3339 writes them`(text: String, microseconds: Int64) {
        #expect(Timestamp(rfc3339: text)?.microsecondsSinceEpoch == microseconds)
    }

    @Test(arguments: [
        "1990-12-31T23:59:60Z", "1990-12-31T15:59:60-08:00", "1991-01-01T00:59:60+01:00",
    ])
    func `read a leap second as the second after it`(text: String) {
        #expect(Timestamp(rfc3339: text)?.rfc3339 == "1991-01-01T00:00:00.000000Z")
    }

    @Test(arguments: [
        "1990-12-30T23:59:60Z", "1990-12-31T12:59:60Z", "1990-12-31T23:59:60+01:00",
        "1990-12-31T23:58:60Z", "9999-12-31T23:59:60Z",
    ])
    func `refuse a leap second where there can be none`(text: String) {
        #expect(Timestamp(rfc3339: text) == nil)
    }

    @Test func `drop what a fraction says below a microsecond`() {
        #expect(
            Timestamp(rfc3339: "2026-11-24T12:00:00.123456789Z")?.rfc3339
                == "2026-11-24T12:00:00.123456Z")
        #expect(
            Timestamp(rfc3339: "1969-12-31T23:59:59.999999999Z")?.rfc3339
                == "1969-12-31T23:59:59.999999Z")
    }

    @Test(arguments: [
        "", "Z", "2026-11-24", "2026-11-24T12:00Z", "2026-11-24T12:00:00",
        "2026-11-24T12:00:00.25", "2026-11-24 12:00:00Z", "2026-11-24T12:00:00 Z",
        "2026-11-24T12:00:00.Z", "2026-11-24T12:00:00.1234567890Z", "2026-11-24T12:00:00,5Z",
        "2026-11-24T12:00:00+0100", "2026-11-24T12:00:00+01", "2026-11-24T12:00:00+24:00",
        "2026-11-24T12:00:00+01:60", "2026-11-24T12:00:00 01:00", "2026-11-24T12:00:00Z ",
        "2026-11-24T12:00:00ZZ", "2026-11-24T24:00:00Z", "2026-11-24T12:60:00Z",
        "2026-11-24T12:00:61Z", "2026-00-24T12:00:00Z", "2026-13-24T12:00:00Z",
        "2026-11-00T12:00:00Z", "2026-11-31T12:00:00Z", "2023-02-29T12:00:00Z",
        "1900-02-29T12:00:00Z", "0000-01-01T00:00:00Z", "0001-01-01T00:00:00+00:01",
        "9999-12-31T23:59:59-00:01", "+2026-11-24T12:00:00Z", "-026-11-24T12:00:00Z",
        "2026-1１-24T12:00:00Z", "2026-11-24T12:00:00.-5Z", "2026/11/24T12:00:00Z",
        "2026-11-24T12.00.00Z", "2026-11-24T12:00:00+-1:00",
    ])
    func `refuse whatever else looks like one`(text: String) {
        #expect(Timestamp(rfc3339: text) == nil)
    }

    @Test(arguments: [
        (0, "1970-01-01T00:00:00.000000Z"),
        (-1, "1969-12-31T23:59:59.999999Z"),
        (1_795_521_600_250_000, "2026-11-24T12:00:00.250000Z"),
        (-62_135_596_800_000_000, "0001-01-01T00:00:00.000000Z"),
        (253_402_300_799_999_999, "9999-12-31T23:59:59.999999Z"),
    ])
    func `are written in UTC with six digits of a fraction`(microseconds: Int64, text: String) {
        #expect(Timestamp(microsecondsSinceEpoch: microseconds)?.rfc3339 == text)
    }

    @Test func `come back from what they write, whatever the instant`() {
        var generator = SplitMix64(seed: 3_339)
        let years =
            Timestamp.earliest.microsecondsSinceEpoch...Timestamp.latest.microsecondsSinceEpoch
        for _ in 0..<20_000 {
            let instant = Timestamp(microsecondsSinceEpoch: .random(in: years, using: &generator))

            let again = Timestamp(rfc3339: instant?.rfc3339 ?? "")

            #expect(again != nil && again == instant)
        }
    }

    @Test func `are written in the order in which they lie`() {
        var generator = SplitMix64(seed: 8)
        let years =
            Timestamp.earliest.microsecondsSinceEpoch...Timestamp.latest.microsecondsSinceEpoch
        let instants = (0..<1_000).compactMap { _ in
            Timestamp(microsecondsSinceEpoch: .random(in: years, using: &generator))
        }

        #expect(instants.sorted().map(\.rfc3339) == instants.map(\.rfc3339).sorted())
    }

    @Test func `do not exist outside the years 0001 to 9999`() {
        #expect(Timestamp(microsecondsSinceEpoch: -62_135_596_800_000_001) == nil)
        #expect(Timestamp(microsecondsSinceEpoch: 253_402_300_800_000_000) == nil)
        #expect(Timestamp(microsecondsSinceEpoch: .max) == nil)
        #expect(Timestamp(microsecondsSinceEpoch: .min) == nil)
    }

    @Test func `move by durations`() {
        let instant = Timestamp.epoch + .milliseconds(1_500)

        #expect(instant.microsecondsSinceEpoch == 1_500_000)
        #expect((instant - .seconds(2)).microsecondsSinceEpoch == -500_000)
        #expect(instant - Timestamp.epoch == .milliseconds(1_500))
        #expect(Timestamp.epoch - instant == .milliseconds(-1_500))
        #expect(instant + .nanoseconds(999) == instant)
        #expect(Timestamp.epoch < instant)
    }

    @Test func `stop at the first and the last instant instead of trapping`() {
        #expect(Timestamp.earliest - .seconds(30) == .earliest)
        #expect(Timestamp.latest + .seconds(30) == .latest)
        #expect(Timestamp.epoch + .seconds(Int64.max) == .latest)
        #expect(Timestamp.epoch + .seconds(Int64.min) == .earliest)
        #expect(Timestamp.epoch - .seconds(Int64.max) == .earliest)
        #expect(Timestamp.epoch - .seconds(Int64.min) == .latest)
        #expect(Timestamp.latest - Timestamp.earliest == .microseconds(315_537_897_599_999_999))
    }

    @Test func `come from a clock that is past the writing of this test`() {
        #expect(Timestamp.now().rfc3339 > "2025-01-01T00:00:00.000000Z")
    }
}
