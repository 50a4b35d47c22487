import JSON
import Testing

@testable import API

@Suite struct `A report's page` {
    /// A report with one figure by month beside the year before, put together by hand.
    private static func content(
        title: String = "Videoschutz", cells: String, comparison: String = "[]",
        total: String = #"{"values":{"count":5}}"#
    ) throws -> ReportContent {
        let period = """
            "periods":[{"site":"mannheim","time_zone":"Europe/Berlin",\
            "local_from":"2023-01-01 00:00:00","local_to":"2023-03-01 00:00:00",\
            "recorded_since":"2023-01-15T00:00:00.000000Z","automatic_since":null}],\
            "left_out":{"operating_modes":{"training":1},"retracted":2,"refused":null}
            """
        let json = """
            {"format":"leitstand-report/1","id":"x","title":"\(title)","reference":"Drucksache 1",
            "stand":"heute","site":"mannheim","time_zone":"Europe/Berlin","frozen_at":"a",
            "as_of":{"asked":null,"known_at":"a","position":7,"recorded_at":"a"},
            "server_version":"1","tzdata_version":null,"key":"k","continues":null,
            "definitions":[{"metric":"incidents","version":1,"title":{"de":"Sachverhalte"},
              "counts":{"de":"c"},"clock":{"de":"k"},"recorded":{"de":"r"},"measures":["count"]}],
            "words":{"dimensions":{"month":"Monat"},"measures":{"count":"Anzahl"},
              "values":{"month":{"2023-01":"Januar 2023","2023-02":"Februar 2023"}},
              "instants":{"2023-01-15T00:00:00.000000Z":"2023-01-15 01:00:00"}},
            "questions":[{"number":2,"wording":"wie viele;","answer":{"kind":"figures","text":null,
              "figures":[{"caption":null,"question":{"metric":"incidents","parameters":{}},
                "answer":{"group_by":["month"],"sentence":"5","cells":\(cells),"total":\(total),
                  \(period),"comparisons":\(comparison)}}]}}]}
            """
        return try #require(ReportContent(canonical: Array(json.utf8)))
    }

    private func html(_ content: ReportContent, released: String? = nil) -> String {
        ReportPage(content: content, hash: "h", signature: [1, 2, 3], releasedAt: released).html
    }

    private static let plain = """
        [{"group":{"month":"2023-01"},"values":{"count":"partial"},"known_part":{"count":2}},
        {"group":{"month":"2023-02"},"values":{"count":3}}]
        """

    @Test func `says in words what is recorded in part or not at all, and never zero`() throws {
        let cells = """
            [{"group":{"month":"2023-01"},"values":{"count":"not_recorded"}},
            {"group":{"month":"2023-02"},"values":{"count":"partial"},"known_part":{"count":0}}]
            """
        let page = html(
            try Self.content(cells: cells, total: #"{"values":{"count":"partial"}}"#))

        #expect(page.contains(#"<td class="s">nicht erfasst</td>"#))
        #expect(page.contains(#"<td class="s">teilweise erfasst</td>"#))
        #expect(!page.contains(#"<td class="n">0</td>"#))
        #expect(page.contains("erfasst seit 15. Januar 2023, 01:00 Uhr."))
        #expect(
            html(try Self.content(cells: Self.plain)).contains("teilweise erfasst (bekannt: 2)"))
    }

    @Test func `tells what is left out`() throws {
        #expect(
            html(try Self.content(cells: Self.plain)).contains(
                "Nicht enthalten, 1. Januar bis 28. Februar 2023: Training 1, zurückgezogen 2."))
    }

    @Test func `puts the months of two years beside each other`() throws {
        let comparison = """
            [{"comparison":"previous_full_year","unequal_lengths":true,
            "periods":[{"site":"mannheim","local_from":"2022-01-01 00:00:00",
              "local_to":"2023-01-01 00:00:00","recorded_since":"b","automatic_since":null}],
            "cells":[{"group":{"month":"2022-02"},"values":{"count":4}},
              {"group":{"month":"2022-12"},"values":{"count":6}}],
            "total":{"values":{"count":10}},"left_out":{}}]
            """
        let content = try Self.content(cells: Self.plain, comparison: comparison)

        let rows = FigureRows(content.questions[0].figures[0], of: content)

        #expect(rows.rows.map(\.headings) == [["Januar"], ["Februar"], ["Dezember"]])
        #expect(rows.rows[1].cells.map { $0?.values["count"] } == [.whole(3), .whole(4)])
        #expect(rows.rows[2].cells.map { $0?.values["count"] } == [nil, .whole(6)])
        let page = html(content)
        #expect(
            page.contains("Die Zeiträume sind verschieden lang: 59 Tage gegenüber 365 Tagen"))
        #expect(page.contains("url(#hatch-2-1)"))
    }

    @Test func `tells many months without a number in one row`() throws {
        let cells = (1...9).map {
            #"{"group":{"month":"2023-0\#($0)"},"values":{"count":"not_recorded"}}"#
        }
        let content = try Self.content(
            cells: "[\(cells.joined(separator: ","))]",
            total: #"{"values":{"count":"not_recorded"}}"#)

        let rows = FigureRows(content.questions[0].figures[0], of: content)

        #expect(rows.withoutRepeats.map(\.headings) == [["Januar 2023 bis 2023-09"]])
        #expect(!html(content).contains("<svg"), "a chart without any bar")
    }

    @Test func `escapes each text`() throws {
        let page = html(try Self.content(title: "<b>&'", cells: Self.plain))

        #expect(page.contains("<h1>&lt;b&gt;&amp;&#39;</h1>"))
        #expect(!page.contains("<b>"))
    }

    @Test func `breaks a word that no line can hold`() {
        var writer = HTMLWriter()

        writer.breakable("ab<" + String(repeating: "x", count: 30))

        #expect(
            writer.html == "ab&lt;" + String(repeating: "x", count: 21) + "<wbr/>"
                + String(repeating: "x", count: 9))
    }

    @Test func `is marked as a draft until it is released`() throws {
        let content = try Self.content(cells: Self.plain)

        #expect(html(content).contains("Entwurf – nicht freigegeben"))
        #expect(!html(content, released: "1. Mai 2026").contains("Entwurf"))
        #expect(html(content, released: "1. Mai 2026").contains("<dd>1. Mai 2026</dd>"))
    }

    @Test func `is the same each time`() throws {
        let content = try Self.content(cells: Self.plain)

        #expect(html(content) == html(content))
    }

    @Test(
        arguments: [
            ([], ""), ([0x66], "Zg=="), ([0x66, 0x6f], "Zm8="), ([0x66, 0x6f, 0x6f], "Zm9v"),
            ([0xff, 0xfe, 0xfd, 0xfc], "//79/A=="),
        ] as [([UInt8], String)])
    func `writes signatures as RFC 4648 says`(bytes: [UInt8], text: String) {
        #expect(bytes.base64 == text)
    }
}

@Suite struct `Differences of a rechecked figure` {
    private func figure(_ answer: String) throws -> ReportContent.Figure {
        try #require(
            ReportContent.Figure(
                caption: nil, metric: "incidents", parameters: [],
                given: try JSON.parse(Array(answer.utf8))))
    }

    private func answer(cells: String, total: String, leftOut: Int = 0) -> String {
        """
        {"version":1,"group_by":["category"],"periods":[],"cells":\(cells),"total":\(total),
        "left_out":{"retracted":\(leftOut)},"comparisons":[]}
        """
    }

    @Test func `are told cell by cell, with what came and what went`() throws {
        let before = try figure(
            answer(
                cells: """
                    [{"group":{"category":"a"},"values":{"count":3}},
                    {"group":{"category":"b"},"values":{"count":1}}]
                    """, total: #"{"values":{"count":4}}"#))
        let after = try figure(
            answer(
                cells: """
                    [{"group":{"category":"a"},"values":{"count":2}},
                    {"group":{"category":null},"values":{"count":1}}]
                    """, total: #"{"values":{"count":3}}"#, leftOut: 1))

        let differences = Recheck.differences(before, after, 3, 1)

        #expect(
            differences.map { "\($0.row.rawValue) \($0.group.first?.key ?? "-") \($0.measure)" }
                == [
                    "cell a count", "cell b count", "cell - count", "total - count",
                    "left_out - retracted",
                ])
        #expect(differences.map(\.before) == [.whole(3), .whole(1), .none, .whole(4), .whole(0)])
        #expect(differences.map(\.after) == [.whole(2), .none, .whole(1), .whole(3), .whole(1)])
    }

    @Test func `are none between equal answers`() throws {
        let one = try figure(answer(cells: "[]", total: #"{"values":{"count":180.0}}"#))
        let other = try figure(answer(cells: "[]", total: #"{"values":{"count":180}}"#))

        #expect(Recheck.differences(one, other, 1, 1).isEmpty)
    }
}
