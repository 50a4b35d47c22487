import JSON
import Testing

@testable import API

@Suite struct `A report's figures asked for again` {
    /// A period's part of an answer, with what is around it.
    private static func answer(version: Int, late: String, total: String) -> String {
        """
        {"metric":"alarm-funnel","version":\(version),"sentence":"x","cells":[],
        "total":{"values":{"alarms":\(total),"late":null}},"included":{"late":\(late)},
        "comparisons":[]}
        """
    }

    @Test(
        arguments: [
            // Another wording of the definition.
            (
                answer(version: 1, late: "2", total: "7"),
                answer(version: 2, late: "2", total: "7"), true
            ),
            // None was late of nothing recorded.
            (
                answer(version: 1, late: "0", total: #""not_recorded""#),
                answer(version: 1, late: "null", total: #""not_recorded""#), true
            ),
            (
                answer(version: 1, late: "0", total: "7"),
                answer(version: 1, late: "null", total: "7"), false
            ),
            (
                answer(version: 1, late: "2", total: "7"),
                answer(version: 1, late: "2", total: "8"), false
            ),
        ])
    func `are identical if the numbers are, however they are worded`(
        frozen: String, present: String, areIdentical: Bool
    ) throws {
        let before = try JSON.parse(Array(frozen.utf8))
        let after = try JSON.parse(Array(present.utf8))

        #expect((before.figures(asIn: before) == after.figures(asIn: before)) == areIdentical)
    }
}
