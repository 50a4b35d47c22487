import Testing

@testable import ControlCentre

@Suite struct `A metric's definition` {
    /// Of each version in force the fingerprint of its words. Whoever changes a word gives the
    /// definition another version, and enters that here: reports name versions for years.
    private static let fingerprints: [Metric: (version: Int, words: UInt64)] = [
        .incidents: (1, 0xa9e3_68d3_85d2_ca05),
        .incidentsWithImmediateIntervention: (1, 0xd4c9_daca_8fe7_a1bf),
        .interventions: (1, 0xa76d_b985_f8af_207a),
        .arrivalTimes: (1, 0xfdab_8858_5a53_38f7),
        .alarmFunnel: (2, 0x7243_eb5c_dbfd_ac56),
        .detectionQuality: (1, 0xed41_7a06_fc33_5625),
        .coverage: (1, 0x16d2_394e_5be0_b8f9),
        .alarmLoad: (2, 0x6fb0_eaf7_6310_92c6),
        .cameras: (1, 0x1fc4_9170_062b_2b71),
    ]

    /// FNV-1a of 64 bits.
    private func fingerprint(_ words: [String]) -> UInt64 {
        words.joined(separator: "\n").utf8.reduce(0xcbf2_9ce4_8422_2325) {
            ($0 ^ UInt64($1)) &* 0x100_0000_01b3
        }
    }

    @Test(arguments: Metric.allCases)
    func `has another version when its words are others`(metric: Metric) throws {
        let definition = MetricDefinition.current(of: metric)
        let words = [definition.title, definition.counts, definition.clock, definition.recorded]
            .flatMap { [$0.german, $0.english] }

        let pinned = try #require(Self.fingerprints[metric])

        #expect(definition.version == pinned.version)
        #expect(fingerprint(words) == pinned.words)
    }
}
