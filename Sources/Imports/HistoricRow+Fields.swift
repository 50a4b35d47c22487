import ControlCentre
import JSON

/// What a line of a history is about.
enum HistoryKind: String, CaseIterable {
    case incident
    case intervention

    /// The columns of its lines, `kind` left out.
    var columns: [String] {
        switch self {
        case .incident:
            [
                "key", "category", "subcategory", "occurred_at", "recognised_at", "recognitions",
                "pattern", "area", "cameras", "outcomes", "operating_mode", "note",
            ]
        case .intervention:
            [
                "key", "incident", "immediate", "precinct", "unit", "dispatched_at", "arrived_at",
                "arrival_source", "arrival_reason", "completed_at", "cancelled_at",
            ]
        }
    }

    /// Those without which no line of it is complete.
    var requiredColumns: [String] {
        switch self {
        case .incident: ["key", "category", "occurred_at"]
        case .intervention: ["key", "incident", "immediate", "dispatched_at"]
        }
    }

    /// What lines are about that have these columns and do not say it: only an intervention has an
    /// incident, or was dispatched.
    init(of columns: some Collection<String>) {
        let tells = ["incident", "immediate", "dispatched_at"]
        self = tells.contains { columns.contains($0) } ? .intervention : .incident
    }
}

extension HistoricRow {
    /// Reads a line's fields; refuses all that is wrong with them at once.
    init(_ fields: JSONObject, line: Int) throws(HistoricFaults) {
        let fields = fields.withoutNullColumns
        var reader = ObjectReader(.object(fields))
        let named = reader.nullableCase("kind", of: HistoryKind.self)
        guard reader.isValid else { throw HistoricFaults(reader.errors, line: line) }
        let kind = named ?? HistoryKind(of: fields.members.map(\.name))
        let record: Record? =
            switch kind {
            case .incident: HistoricIncident(&reader).map { .incident($0) }
            case .intervention: HistoricIntervention(&reader).map { .intervention($0) }
            }
        reader.rejectUnknown()
        guard reader.isValid, let record else {
            throw HistoricFaults(reader.errors, line: line, kind: kind)
        }
        self.init(line: line, record: record)
    }
}

extension JSONObject {
    /// The fields that say something. An export writes each column in each line, with null where
    /// the line has nothing; a null under another name remains, to be refused.
    fileprivate var withoutNullColumns: JSONObject {
        guard members.contains(where: { $0.value == .null }) else { return self }
        let columns = ["kind"] + HistoryKind.allCases.flatMap(\.columns)
        return JSONObject(members.filter { $0.value != .null || !columns.contains($0.name) })
    }
}

/// Everything that is wrong with one line.
struct HistoricFaults: Error {
    let faults: [HistoricFault]

    init(_ errors: [MemberError], line: Int, kind: HistoryKind? = nil) {
        faults = errors.map { error in
            // The first step of the pointer is the column, or the member of the line's object.
            let column = error.pointer.split(separator: "/").first.map(String.init)
            var detail = error.detail
            if error.code == "unknown", let kind {
                detail =
                    "is not of the kind \(kind.rawValue); its columns are kind, "
                    + kind.columns.joined(separator: ", ")
            }
            return HistoricFault(line: line, column: column, code: error.code, detail: detail)
        }
    }
}

extension HistoricIncident {
    fileprivate init?(_ reader: inout ObjectReader) {
        let key = reader.requiredLine("key")
        let category = reader.requiredCase("category", of: ControlCentre.Category.self)
        let subcategory = reader.nullableCase("subcategory", of: Subcategory.self)
        let occurredAt = reader.requiredHistoricTime("occurred_at")
        let recognisedAt = reader.nullableHistoricTime("recognised_at")
        let recognitions = reader.nullableObjects(
            "recognitions", count: 0...Incident.recognitionsMax
        ) { Recognition(&$0) }
        if recognisedAt != nil, recognitions != nil {
            reader.refuse(
                "recognised_at", "must not stand beside recognitions, which say it already")
        }
        let pattern = reader.nullableCase("pattern", of: BehaviourPattern.self)
        let area = reader.nullableLine("area")
        let cameras = reader.nullableItems(
            "cameras", count: 0...Incident.camerasMax, expected: "a camera's key or id"
        ) { isLine($0) ? $0 : nil }
        let outcomes = reader.nullableItems(
            "outcomes", count: 0...IncidentOutcome.allCases.count,
            expected: "one of "
                + IncidentOutcome.allCases.map(\.rawValue).joined(separator: ", ")
        ) { IncidentOutcome(rawValue: $0) }
        if let outcomes, Set(outcomes).count < outcomes.count {
            reader.refuse("outcomes", code: "duplicate", "must name each outcome once")
        }
        let mode = reader.nullableCase("operating_mode", of: OperatingMode.self)
        let note = reader.nullableString("note", length: 1...remarkLengthMax)
        guard let key, let category, let occurredAt else { return nil }
        self.init(key: key, category: category, occurredAt: occurredAt)
        self.subcategory = subcategory
        self.recognitions =
            recognitions ?? recognisedAt.map { [Recognition(kind: .observer, at: $0)] } ?? []
        self.pattern = pattern
        self.area = area
        self.cameras = cameras ?? []
        self.outcomes = outcomes ?? []
        self.operatingMode = mode ?? .production
        self.note = note
    }
}

extension HistoricIncident.Recognition {
    fileprivate init?(_ reader: inout ObjectReader) {
        let kind = reader.requiredString(
            "kind", oneOf: [Recognition.Kind.observer, .call].map(\.rawValue)
        ).flatMap(Recognition.Kind.init)
        let instant = reader.requiredHistoricTime("at")
        guard let kind, let instant else { return nil }
        self.init(kind: kind, at: instant)
    }
}

extension HistoricIntervention {
    fileprivate init?(_ reader: inout ObjectReader) {
        let key = reader.requiredLine("key")
        let incident = reader.requiredLine("incident")
        let immediate = reader.requiredBool("immediate")
        let precinct = reader.nullableLine("precinct")
        let unit = reader.nullableLine("unit")
        let dispatchedAt = reader.requiredHistoricTime("dispatched_at")
        let arrivedAt = reader.nullableHistoricTime("arrived_at")
        let arrivalSource = reader.nullableCase("arrival_source", of: ArrivalSource.self)
        let arrivalReason = reader.nullableString("arrival_reason", length: 1...remarkLengthMax)
        for (name, isThere) in [
            ("arrival_source", arrivalSource != nil), ("arrival_reason", arrivalReason != nil),
        ] where isThere && !reader.contains("arrived_at") {
            reader.refuse(name, "must stand with arrived_at")
        }
        let completedAt = reader.nullableHistoricTime("completed_at")
        let cancelledAt = reader.nullableHistoricTime("cancelled_at")
        if completedAt != nil, cancelledAt != nil {
            reader.refuse("cancelled_at", "must not stand beside completed_at")
        }
        guard let key, let incident, let immediate, let dispatchedAt else { return nil }
        self.init(
            key: key, incident: incident, immediate: immediate, dispatchedAt: dispatchedAt)
        self.precinct = precinct
        self.unit = unit
        self.arrivedAt = arrivedAt
        self.arrivalSource = arrivalSource
        self.arrivalReason = arrivalReason
        self.completedAt = completedAt
        self.cancelledAt = cancelledAt
    }
}

private let lineLengthMax = 200
private let remarkLengthMax = 4_000

/// Text of one line as names and keys are: no control characters.
private func isLine(_ text: String) -> Bool {
    (1...lineLengthMax).contains(text.unicodeScalars.count)
        && text.unicodeScalars.allSatisfy { $0.value > 0x1f && $0.value != 0x7f }
}

extension ObjectReader {
    private static let line = "1 to \(lineLengthMax) characters of one line"
    private static let time =
        "a time such as 2022-10-30T02:30:00+01:00, or without offset as the site's clocks show it"

    fileprivate mutating func requiredLine(_ name: String) -> String? {
        required(name, expected: Self.line) { isLine($0) ? $0 : nil }
    }

    fileprivate mutating func nullableLine(_ name: String) -> String? {
        nullable(name, expected: Self.line) { isLine($0) ? $0 : nil }
    }

    fileprivate mutating func requiredHistoricTime(_ name: String) -> HistoricTime? {
        required(name, expected: Self.time) { HistoricTime($0) }
    }

    fileprivate mutating func nullableHistoricTime(_ name: String) -> HistoricTime? {
        nullable(name, expected: Self.time) { HistoricTime($0) }
    }
}
