import ControlCentre
import Testing

@Suite struct `A time of a history` {
    @Test(arguments: [
        "2022-10-30T02:30:00+02:00", "2022-10-30T00:30:00Z", "2022-10-30 02:30:00+02:00",
    ])
    func `with an offset is an instant`(text: String) throws {
        let instant = try #require(Timestamp(rfc3339: "2022-10-30T00:30:00Z"))

        #expect(HistoricTime(text) == .instant(instant))
    }

    @Test(arguments: ["2022-10-30T02:30", "2022-10-30T02:30:00", "2022-10-30 02:30:00.000"])
    func `without one is local`(text: String) throws {
        let asIfUTC = try #require(Timestamp(rfc3339: "2022-10-30T02:30:00Z"))

        #expect(HistoricTime(text) == .local(LocalTime(inUTC: asIfUTC)))
        #expect(LocalTime(inUTC: asIfUTC).description == "2022-10-30T02:30:00")
    }

    @Test(arguments: [
        "", "2022-10-30", "30.10.2022 02:30", "2022-02-29T10:00", "2022-10-30T24:00",
        "2022-10-30T02:30+02:00", "2022-10-30  02:30", "2022-10-30T02", "02:30",
        "2022-10-30T02:30:00 Z", "2022-10-30T02:30:00+0200",
    ])
    func `is nothing else`(text: String) {
        #expect(HistoricTime(text) == nil)
    }

    @Test func `tells its offset at an instant`() throws {
        let local = try #require(LocalTime("2022-10-30T02:30"))
        for (instant, offset) in [
            ("2022-10-30T00:30:00Z", "+02:00"), ("2022-10-30T06:00:00Z", "-03:30"),
            ("2022-10-30T02:30:00Z", "+00:00"),
        ] {
            #expect(local.offset(at: try #require(Timestamp(rfc3339: instant))) == offset)
        }
    }
}
