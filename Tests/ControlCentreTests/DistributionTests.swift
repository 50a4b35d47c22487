import ControlCentre
import Testing

@Suite struct `A distribution` {
    private func distribution(_ values: [Int64]) -> Distribution {
        var distribution = Distribution()
        for value in values { distribution.add(1, of: value) }
        return distribution
    }

    @Test func `of an even number has its median between the two in the middle`() {
        let times = distribution([40, 10, 30, 20])

        #expect(times.percentile(0.5) == 25)
        #expect(times.mean == 25)
    }

    @Test func `interpolates percentiles between neighbours`() {
        // The place of the 90th is 0.9 × 4 = 3.6: six tenths of the way from 40 to 100.
        #expect(distribution([10, 20, 30, 40, 100]).percentile(0.9) == 76)
        #expect(distribution([7]).percentile(0.9) == 7)
    }

    @Test func `counts a value as often as it is there, and nothing that was taken back`() {
        var times = distribution([60, 60, 300])
        times.add(-1, of: 300)
        times.add(2, of: nil)

        #expect((times.known, times.missing) == (2, 2))
        #expect(times.percentile(0.5) == 60)
        #expect(times.mean == 60)
        #expect(times.count == 4)
    }

    @Test func `of many at once is that of each by itself`() {
        var times = distribution([60, 60, 300])
        times.add([entry(300, -1), entry(10, 1), entry(60, 1), entry(20, 2), entry(20, -2)])
        times.add([entry(10, 1)])

        #expect(times == distribution([10, 10, 60, 60, 60]))
        times.add([entry(10, -2), entry(60, -3)])
        #expect(times.isEmpty)
    }

    private func entry(_ value: Int64, _ count: Int64) -> Distribution.Entry {
        Distribution.Entry(value: value, count: count)
    }

    @Test func `of nothing has neither mean nor percentiles`() {
        let none = Distribution()

        #expect(none.mean == nil)
        #expect(none.percentile(0.5) == nil)
        #expect(none.known == 0)
    }
}

@Suite struct `What is recorded of a stretch of time` {
    private let start = Timestamp.epoch

    private func state(since: Int?, until: Int) -> RecordingState {
        RecordingState(
            from: start + .seconds(100), to: start + .seconds(200),
            since: since.map { start + .seconds($0) }, until: start + .seconds(until))
    }

    @Test(
        arguments: [
            (nil, 900, RecordingState.notRecorded), (200, 900, .notRecorded),
            (0, 100, .notRecorded),
            (101, 900, .partial), (0, 199, .partial), (100, 200, .complete), (0, 900, .complete),
        ] as [(Int?, Int, RecordingState)])
    func `is told by when recording began and up to when it is known`(
        since: Int?, until: Int, expected: RecordingState
    ) {
        #expect(state(since: since, until: until) == expected)
    }

    @Test func `is partial where stretches differ`() {
        #expect(RecordingState([.complete, .notRecorded]) == .partial)
        #expect(RecordingState([.notRecorded, .notRecorded]) == .notRecorded)
        #expect(RecordingState([]) == nil)
    }

    @Test(arguments: [
        "2023-02-29", "2023-2-01", "1969-12-31", "2200-01-01", "2023-01-01T00", "+023-01-01",
    ])
    func `has no end on a day that no calendar has`(text: String) {
        #expect(LocalDate(text) == nil)
    }
}
