import ControlCentre
import JSON

/// What a frozen report says, read from its canonical form, for those who print it.
struct ReportContent: Sendable {
    var id: String
    var title: String
    var reference: String
    var stand: String
    /// In which all instants are printed.
    var timeZone: String
    var frozenAt: String
    var position: Int64
    var recordedAt: String?
    var knownAt: String
    var serverVersion: String
    var tzdataVersion: String?
    var keyID: String
    var questions: [Question]
    var predecessor: Predecessor?
    var definitions: [Definition]
    var words: Words

    struct Question: Sendable {
        var number: Int64
        var wording: String
        var kind: String
        var text: String?
        var figures: [Figure]
    }

    struct Figure: Sendable {
        var caption: String?
        var metric: String
        var parameters: [(name: String, value: String)]
        /// As the server has answered it.
        var answer: JSON
        var sentence: String?
        var groups: [String]
        /// First the period asked about, then those that it is compared with.
        var parts: [Part]
    }

    struct Part: Sendable {
        /// `asked`, or the comparison's name.
        var name: String
        var hasOtherLength: Bool
        var spans: [Span]
        var cells: [Cell]
        var total: Cell
        /// What is counted though it is of another kind: `late`, where anything is recorded. Nil in
        /// reports from before it was told.
        var included: [(name: String, count: Value)]?
        /// By names such as `operating_modes.training`.
        var leftOut: [(name: String, count: Value)]
    }

    struct Span: Sendable {
        var site: String
        var localFrom: String
        var localTo: String
        var recordedSince: String
        var automaticSince: String?
    }

    struct Cell: Sendable {
        /// In the order of the groups; nil: no value.
        var keys: [String?]
        var values: [String: Value]
        /// Of a cell that is known in part only.
        var knownPart: [String: Value]
    }

    enum Value: Sendable, Hashable {
        case whole(Int64)
        case fraction(Double)
        /// Why there is no number.
        case state(String)
        /// Such as the mean of nothing.
        case none
    }

    struct Definition: Sendable {
        var metric: String
        var version: Int64
        var title: String
        var counts: String
        var clock: String
        var recorded: String
        var measures: [String]
    }

    /// What figures of an earlier answer say beside those of this one.
    struct Predecessor: Sendable {
        var reference: String
        var stand: String?
        var report: String?
        var pairs: [Pair]
    }

    struct Pair: Sendable {
        var question: Int64
        var figure: Int64
        /// By the names of the groups; empty: the total.
        var group: [(name: String, key: String?)]
        var measure: String
        var earlier: Value
        var earlierPeriod: (localFrom: String, localTo: String)?
        var now: Value
    }

    /// What ids and names of the record were called when the report was frozen.
    struct Words: Sendable {
        var dimensions: [String: String]
        var measures: [String: String]
        /// By dimension and value.
        var values: [String: [String: String]]
        /// Local texts of instants.
        var instants: [String: String]
    }

    func definition(of figure: Figure) -> Definition? {
        definitions.first { $0.metric == figure.metric }
    }
}
