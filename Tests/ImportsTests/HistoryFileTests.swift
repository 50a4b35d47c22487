import ControlCentre
import Store
import Testing

@testable import Imports

/// What a file says: its rows, and its faults as `line column code`.
private func read(_ text: String, _ format: HistoryFormat = .csv) -> (
    rows: [HistoricRow], faults: [String]
) {
    let file = HistoryFile(HistoryFile.Bytes(Array(text.utf8)), format: format)
    var rows: [HistoricRow] = []
    var faults: [HistoricFault] = []
    while let piece = file.next() {
        rows += piece.rows
        faults += piece.faults
    }
    return (rows, faults.map { "\($0.line) \($0.column ?? "-") \($0.code)" })
}

private func incident(_ row: HistoricRow?) throws -> HistoricIncident {
    guard case .incident(let incident)? = row?.record else {
        throw HistoricFault(line: 0, column: nil, code: "no-incident", detail: "")
    }
    return incident
}

private func intervention(_ row: HistoricRow?) throws -> HistoricIntervention {
    guard case .intervention(let intervention)? = row?.record else {
        throw HistoricFault(line: 0, column: nil, code: "no-intervention", detail: "")
    }
    return intervention
}

@Suite struct `A history's file` {
    @Test func `gives incidents with all that their columns say`() throws {
        let file = read(
            """
            kind,key,category,subcategory,occurred_at,recognitions,pattern,area,cameras,outcomes,operating_mode,note
            incident,E-1,criminal_offence,brawl,2022-06-04T01:20:00+02:00,observer 2022-06-04T01:21:00+02:00; call 2022-06-04 01:22,hitting,Alter Messplatz,cam-1; cam-2,arrest;recordings_secured,exercise,"Zwei, drei Personen"
            """)

        #expect(file.faults == [])
        #expect(file.rows.map(\.line) == [2])
        let incident = try incident(file.rows.first)
        #expect(incident.key == "E-1")
        #expect(incident.category == .criminalOffence)
        #expect(incident.subcategory == .brawl)
        let occurredAt = try #require(Timestamp(rfc3339: "2022-06-03T23:20:00Z"))
        #expect(incident.occurredAt == .instant(occurredAt))
        let called = try #require(LocalTime("2022-06-04T01:22"))
        #expect(
            incident.recognitions == [
                HistoricIncident.Recognition(
                    kind: .observer, at: .instant(occurredAt + .seconds(60))),
                HistoricIncident.Recognition(kind: .call, at: .local(called)),
            ])
        #expect(incident.pattern == .hitting)
        #expect(incident.area == "Alter Messplatz")
        #expect(incident.cameras == ["cam-1", "cam-2"])
        #expect(incident.outcomes == [.arrest, .recordingsSecured])
        #expect(incident.operatingMode == .exercise)
        #expect(incident.note == "Zwei, drei Personen")
    }

    @Test func `gives interventions, which need no column that says so`() throws {
        let file = read(
            """
            key,incident,immediate,precinct,unit,dispatched_at,arrived_at,arrival_source,completed_at\r
            I-1,E-1,true,Innenstadt,11/2,2022-06-04T01:23,2022-06-04T01:26,radio_status,\r

            """)

        #expect(file.faults == [])
        let intervention = try intervention(file.rows.first)
        #expect(intervention.incident == "E-1")
        #expect(intervention.immediate)
        #expect(intervention.precinct == "Innenstadt")
        #expect(intervention.unit == "11/2")
        #expect(intervention.dispatchedAt == LocalTime("2022-06-04T01:23:00").map { .local($0) })
        #expect(intervention.arrivalSource == .radioStatus)
        #expect(intervention.completedAt == nil)
    }

    @Test func `says the same as lines of JSON`() throws {
        let table = read(
            """
            kind,key,category,occurred_at,cameras,incident,immediate,dispatched_at
            incident,E-1,hazard_prevention,2022-06-04T01:20,cam-1;cam-2,,,
            intervention,I-1,,,,E-1,false,2022-06-04T01:25
            """)
        let lines = read(
            """
            {"kind":"incident","key":"E-1","category":"hazard_prevention","occurred_at":"2022-06-04T01:20","cameras":["cam-1","cam-2"]}

            {"key":"I-1","incident":"E-1","immediate":false,"dispatched_at":"2022-06-04T01:25"}
            """, .ndjson)

        #expect(table.faults == [])
        #expect(lines.faults == [])
        #expect(lines.rows.map(\.line) == [1, 3])
        for (one, other) in [(table.rows.first, lines.rows.first)] {
            #expect(try incident(one).occurredAt == incident(other).occurredAt)
            #expect(try incident(one).cameras == incident(other).cameras)
        }
        #expect(try intervention(table.rows.last).immediate == false)
        #expect(try intervention(lines.rows.last).immediate == false)
    }

    @Test func `takes null in lines of JSON for a column left out, whosever column it is`() throws {
        let file = read(
            """
            {"kind":null,"key":"E-1","category":"hazard_prevention","occurred_at":"2022-06-04T01:20","recognitions":null,"incident":null,"immediate":null,"dispatched_at":null,"arrived_at":null}
            {"key":"I-1","category":null,"incident":"E-1","immediate":false,"dispatched_at":"2022-06-04T01:25","arrived_at":null}
            {"key":"I-2","incident":"E-1","immediate":false,"dispatched_at":"2022-06-04T01:25","arrived_at":null,"arrival_source":"keyed"}
            {"key":null,"category":"hazard_prevention","occurred_at":"2022-06-04T01:20","officer":null}
            """, .ndjson)

        #expect(file.rows.map(\.line) == [1, 2])
        #expect(try incident(file.rows.first).key == "E-1")
        #expect(try intervention(file.rows.last).arrivedAt == nil)
        #expect(
            file.faults == ["3 arrival_source invalid", "4 key missing", "4 officer unknown"])
    }

    static let faulty: [(String, [String])] = [
        ("", ["1 - missing"]),
        ("key,category\nE-1,criminal_offence\n", ["1 occurred_at missing"]),
        ("key,key,category,occurred_at\n", ["1 key duplicate"]),
        ("key,category,occurred_at,officer\n", ["1 officer unknown"]),
        (
            "key;category;occurred_at\n",
            [
                "1 key;category;occurred_at unknown", "1 key missing", "1 category missing",
                "1 occurred_at missing",
            ]
        ),
        ("key,category,occurred_at\nE-1,criminal_offence\n", ["2 - invalid"]),
        (
            "key,category,occurred_at\n,theft,gestern\n",
            [
                "2 key missing", "2 category invalid", "2 occurred_at invalid",
            ]
        ),
        (
            "kind,key,category,occurred_at,unit\nincident,E-1,criminal_offence,2022-01-01T10:00,11/2\n",
            ["2 unit unknown"]
        ),
        ("kind,key\nalarm,E-1\n", ["2 kind invalid"]),
        (
            "key,category,occurred_at,recognised_at,recognitions\nE-1,criminal_offence,2022-01-01T10:00,2022-01-01T10:00,call 2022-01-01T10:00\n",
            ["2 recognised_at invalid"]
        ),
        (
            "key,category,occurred_at,recognitions\nE-1,criminal_offence,2022-01-01T10:00,alarm 2022-01-01T10:00;observer\n",
            ["2 recognitions invalid", "2 recognitions missing"]
        ),
        (
            "key,category,occurred_at,outcomes\nE-1,criminal_offence,2022-01-01T10:00,arrest;arrest\n",
            ["2 outcomes duplicate"]
        ),
        (
            "key,incident,immediate,dispatched_at,arrival_source,completed_at,cancelled_at\nI-1,E-1,ja,2022-01-01T10:00,keyed,2022-01-01T11:00,2022-01-01T11:00\n",
            ["2 immediate wrong-type", "2 arrival_source invalid", "2 cancelled_at invalid"]
        ),
        (
            "key,category,occurred_at\n\"E-1,criminal_offence,2022-01-01T10:00\nE-2,criminal_offence,2022-01-01T10:00\n",
            ["2 - malformed"]
        ),
    ]

    @Test(arguments: faulty)
    func `names each fault by line and column`(text: String, expected: [String]) {
        let file = read(text)

        #expect(file.faults == expected)
        #expect(file.rows.isEmpty)
    }

    @Test func `names the faults of lines of JSON`() {
        let file = read(
            """
            {"key":"E-1"
            [1]
            {"key":"E-1","category":"criminal_offence","occurred_at":5,"officer":"x"}
            {"key":"E-2","category":"criminal_offence","occurred_at":"2022-01-01T10:00","cameras":["a",7]}
            """, .ndjson)

        #expect(
            file.faults == [
                "1 - malformed", "2 - wrong-type", "3 occurred_at wrong-type", "3 officer unknown",
                "4 cameras wrong-type",
            ])
    }

    @Test func `does not speak of the parser`() throws {
        let text = #"{"key":"a\u0000"}"#
        let file = HistoryFile(HistoryFile.Bytes(Array(text.utf8)), format: .ndjson)

        let fault = try #require(file.next()?.faults.first)

        #expect(fault.detail.hasPrefix("is not JSON: U+0000 is not taken, escaped or not ("))
    }

    @Test func `goes on after a bad line`() {
        let file = read(
            """
            key,category,occurred_at
            E-1,criminal_offence,morgen
            E-2,criminal_offence,2022-01-01T10:00
            """)

        #expect(file.faults == ["2 occurred_at invalid"])
        #expect(file.rows.map(\.line) == [3])
    }

    @Test func `is the same when it is read again, and known by its digest`() {
        let file = HistoryFile(HistoryFile.Bytes(Array("abc".utf8)), format: .csv)

        while file.next() != nil {}

        // FIPS 180-2, appendix B.1.
        let digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        func hexadecimal(_ bytes: [UInt8]) -> String {
            bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
        }
        #expect(hexadecimal(file.hash) == digest)
        file.restart()
        while file.next() != nil {}
        #expect(hexadecimal(file.hash) == digest)
    }
}
