import ControlCentre
import JSON

/// The columns of a history's table, as its first record names them.
struct CSVHeader {
    private let columns: [String]

    /// Refuses unknown, double and missing columns, each by name.
    init(_ record: CSVReader.Record) throws(HistoricFaults) {
        let columns = record.fields
        var errors: [MemberError] = []
        func refuse(_ column: String, _ code: String, _ detail: String) {
            errors.append(MemberError(pointer: "/\(column)", code: code, detail: detail))
        }
        let hasKinds = columns.contains(Self.kind)
        let kinds = hasKinds ? HistoryKind.allCases : [HistoryKind(of: columns)]
        var known = [Self.kind]
        for column in kinds.flatMap(\.columns) where !known.contains(column) {
            known.append(column)
        }
        let names = known.joined(separator: ", ")
        for (index, column) in columns.enumerated() {
            if !known.contains(column) {
                let hint =
                    column.contains(";")
                    ? "; columns are parted by commas, not by semicolons" : ""
                refuse(
                    column.replacing("/", with: " "), "unknown",
                    "is no column of a history; known are \(names)\(hint)")
            } else if columns[..<index].contains(column) {
                refuse(column, "duplicate", "is there twice")
            }
        }
        // With lines of both kinds the others are asked of each line.
        let required = hasKinds ? ["key"] : kinds.flatMap(\.requiredColumns)
        for column in required where !columns.contains(column) {
            refuse(column, "missing", "is missing; the first line must name it")
        }
        guard errors.isEmpty else { throw HistoricFaults(errors, line: record.line) }
        self.columns = columns
    }

    /// The fields of a record by their columns, as an object of NDJSON has them. An empty field
    /// is as good as none.
    func fields(of record: CSVReader.Record) throws(HistoricFaults) -> JSONObject {
        guard record.fields.count == columns.count else {
            let detail = "has \(record.fields.count) fields; the first line has \(columns.count)"
            throw HistoricFaults(
                [MemberError(pointer: "", code: "invalid", detail: detail)], line: record.line)
        }
        var members: [JSONObject.Member] = []
        members.reserveCapacity(columns.count)
        for (column, text) in zip(columns, record.fields) where !text.isEmpty {
            members.append(JSONObject.Member(name: column, value: Self.value(text, of: column)))
        }
        return JSONObject(members)
    }

    private static let kind = "kind"

    private static func value(_ text: String, of column: String) -> JSON {
        switch column {
        case "immediate":
            switch text {
            case "true": .bool(true)
            case "false": .bool(false)
            default: .string(text)
            }
        case "cameras", "outcomes":
            .array(parts(of: text).map { .string($0) })
        case "recognitions":
            .array(parts(of: text).map { recognition($0) })
        default:
            .string(text)
        }
    }

    /// What semicolons part, without the spaces around.
    private static func parts(of text: String) -> [String] {
        text.split(separator: ";", omittingEmptySubsequences: false).map { part in
            var part = part.drop { $0 == " " }
            while part.last == " " { part.removeLast() }
            return String(part)
        }
    }

    /// `observer 2022-10-30T02:30:00+01:00` as an object.
    private static func recognition(_ text: String) -> JSON {
        let words = text.split(separator: " ", maxSplits: 1).map(String.init)
        let names = ["kind", "at"]
        return .object(
            JSONObject(
                zip(names, words).map { JSONObject.Member(name: $0, value: .string($1)) }))
    }
}
