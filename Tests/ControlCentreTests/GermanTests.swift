import ControlCentre
import Testing

@Suite struct `German numbers and times` {
    @Test(
        arguments: [
            (0, "0"), (999, "999"), (5_214, "5\u{202F}214"), (1_234_567, "1\u{202F}234\u{202F}567"),
            (-1_000, "−1\u{202F}000"),
        ] as [(Int64, String)])
    func `part whole numbers in groups of three`(number: Int64, text: String) {
        #expect(German.number(number) == text)
    }

    @Test(
        arguments: [
            (2.3, 1, "2,3"), (0.0625, 3, "0,063"), (2.0, 3, "2"), (1_234.5, 2, "1\u{202F}234,5"),
            (0.04, 1, "0"), (-0.5, 1, "−0,5"), (-0.04, 1, "0"),
        ] as [(Double, Int, String)])
    func `have a comma and no zeros at the end`(number: Double, decimals: Int, text: String) {
        #expect(German.number(number, decimals: decimals) == text)
    }

    @Test(
        arguments: [
            (0, "0\u{A0}s"), (59.4, "59\u{A0}s"), (59.5, "1\u{A0}min 0\u{A0}s"),
            (179.64, "3\u{A0}min 0\u{A0}s"), (3_725, "62\u{A0}min 5\u{A0}s"),
        ] as [(Double, String)])
    func `tell a duration to the nearest second`(seconds: Double, text: String) {
        #expect(German.duration(seconds: seconds) == text)
    }

    @Test(arguments: [
        ("2023-01-01 00:00:00", "2023-11-01 00:00:00", "1. Januar bis 31. Oktober 2023"),
        ("2022-01-01 00:00:00", "2023-01-01 00:00:00", "1. Januar bis 31. Dezember 2022"),
        ("2018-12-01 00:00:00", "2023-11-01 00:00:00", "1. Dezember 2018 bis 31. Oktober 2023"),
        ("2024-02-29 00:00:00", "2024-03-01 00:00:00", "29. Februar 2024"),
        (
            "2023-01-01 12:00:00", "2023-01-02 00:00:00",
            "1. Januar 2023, 12:00 Uhr bis 2. Januar 2023, 00:00 Uhr"
        ),
    ])
    func `name a period by its last day`(from: String, to: String, text: String) {
        #expect(German.period(localFrom: from, localTo: to) == text)
    }

    @Test func `count the days of a period`() {
        #expect(
            German.days(localFrom: "2023-01-01 00:00:00", localTo: "2023-11-01 00:00:00") == 304)
        #expect(
            German.days(localFrom: "2023-01-01 12:00:00", localTo: "2023-11-01 00:00:00") == nil)
    }

    @Test(arguments: [
        ("2023-01", "Januar 2023"), ("2023-W05", "KW 5/2023"), ("2023-03-31", "31. März 2023"),
    ])
    func `name stretches of the calendar`(key: String, text: String) {
        #expect(German.calendarKey(key) == text)
    }

    @Test func `have a word for each value of a closed list`() {
        for dimension in Dimension.allCases {
            for value in dimension.values ?? [] {
                #expect(dimension.german(of: value) != nil, "\(dimension) \(value)")
            }
        }
    }
}

@Suite struct `The sentence of an answer` {
    private func part(_ count: Int64, state: RecordingState = .complete) -> StatisticsAnswer.Part {
        var tallies = Tallies()
        tallies.add(count, of: nil, to: .cases)
        return part(tallies, state)
    }

    private func part(_ tallies: Tallies, _ state: RecordingState) -> StatisticsAnswer.Part {
        StatisticsAnswer.Part(
            spans: [], hasOtherLength: false, cells: [],
            total: StatisticsAnswer.Cell(keys: [], state: state, tallies: tallies),
            leftOut: StatisticsAnswer.LeftOut(for: []))
    }

    private func answer(
        _ metric: Metric = .incidents, _ period: StatisticsAnswer.Part,
        _ comparisons: [(PeriodComparison, StatisticsAnswer.Part)] = []
    ) -> StatisticsAnswer {
        StatisticsAnswer(
            question: StatisticsQuestion(
                metric: metric, from: .instant(.epoch), to: .instant(.epoch)),
            position: 1, recordedAt: nil, knownAt: .epoch, timeZoneRelease: nil, period: period,
            comparisons: comparisons.map { (comparison: $0, part: $1) })
    }

    @Test func `puts the previous year beside the figure, as the ministry does`() {
        let answer = answer(.incidents, part(552), [(.previousFullYear, part(686))])

        #expect(answer.germanSentence == "552 (gesamtes Vorjahr: 686)")
    }

    @Test func `names each comparison`() {
        let answer = answer(
            .incidents, part(5_214), [(.previousSamePeriod, part(0)), (.previousFullYear, part(7))])

        #expect(
            answer.germanSentence
                == "5\u{202F}214 (gleicher Vorjahreszeitraum: 0; gesamtes Vorjahr: 7)")
    }

    @Test func `says what is not recorded instead of a number`() {
        let answer = answer(
            .incidents, part(3, state: .partial),
            [(.previousFullYear, part(0, state: .notRecorded))])

        #expect(answer.germanSentence == "teilweise erfasst (gesamtes Vorjahr: nicht erfasst)")
    }

    @Test func `names the number where a metric says several`() {
        var tallies = Tallies()
        tallies.add(1_200, of: nil, to: .detections)

        let answer = answer(
            .alarmFunnel, part(tallies, .complete), [(.previousFullYear, part(0))])

        #expect(answer.germanSentence == "Detektionen: 1\u{202F}200 (gesamtes Vorjahr: 0)")
    }

    @Test func `gives the median of times`() {
        var tallies = Tallies()
        tallies.add(1, of: 120, to: .cases)
        tallies.add(1, of: 241, to: .cases)

        #expect(
            answer(.arrivalTimes, part(tallies, .complete)).germanSentence
                == "im Median 3\u{A0}min 1\u{A0}s")
        #expect(
            answer(
                .arrivalTimes, part(tallies, .complete),
                [(.previousFullYear, part(Tallies(), .complete))]
            ).germanSentence == "im Median 3\u{A0}min 1\u{A0}s (gesamtes Vorjahr: nicht bekannt)")
    }
}
