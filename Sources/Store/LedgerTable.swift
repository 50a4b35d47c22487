import ControlCentre
import PostgreSQL

/// A table of rows that count, and the sums of them that runs keep.
///
/// Whole months are read as the cells of runs and the rows behind the last run; what the cells do
/// not tell, and the rest of a month, row by row.
struct LedgerTable {
    /// The table of the rows.
    let rows: String
    /// The column of the instant by which they count.
    let time: String
    /// The table of the cells.
    let cells: String
    /// The cubes of the cells from the smallest on, and what each tells.
    let cubes: [(name: String, dimensions: Set<Dimension>)]
    /// SQL of the local day of a part of a cell, where cubes have other dimensions of the clock than
    /// the month.
    var dayOfCell = "NULL::date"

    /// From where figures are read.
    enum Reading {
        case cells(cube: String)
        /// What no run covers yet, of whole months.
        case pending
        case rows
    }

    /// What `statement` makes of each kind of reading that it takes to tell what is asked of spans.
    ///
    /// - Parameter asked: the dimensions of groups and filters, of those that the rows have.
    func statements(
        of spans: [LedgerSpan], asked: Set<Dimension>,
        _ statement: (Reading, [LedgerStretch]) -> Statement
    ) -> [Statement] {
        guard let cube = cubes.first(where: { asked.isSubset(of: $0.dimensions) }) else {
            return [statement(.rows, LedgerStretch.all(of: spans))]
        }
        let months = LedgerStretch.wholeMonths(of: spans)
        let fringes = LedgerStretch.fringes(of: spans)
        var statements: [Statement] = []
        if !months.isEmpty {
            statements.append(statement(.cells(cube: cube.name), months))
            statements.append(statement(.pending, months))
        }
        if !fringes.isEmpty { statements.append(statement(.rows, fringes)) }
        return statements
    }

    /// Adds the known rows or cells `l` of the stretches `s` to a query and returns them.
    func bind(
        _ reading: Reading, of stretches: [LedgerStretch], known: LedgerStanding,
        in query: inout Query
    ) -> String {
        switch reading {
        case .cells(let cube):
            return """
                \(query.bindMonths(stretches))
                CROSS JOIN unnest(\(query.bind(.text(known.runs)))::text::integer[]) r (run)
                JOIN \(cells) l ON l.site = s.site AND l.cube = '\(cube)' AND l.run = r.run
                    AND l.month >= s.first_month AND l.month < s.end_month
                """
        case .pending:
            return """
                \(query.bind(stretches))
                JOIN \(query.bindPending(rows, known)) l ON \(isWithin)
                """
        case .rows:
            query.filter(query.bindKnown(known))
            return "\(query.bind(stretches)) JOIN \(rows) l ON \(isWithin)"
        }
    }

    /// Whether a row `l` is of a stretch or span `s`.
    var isWithin: String {
        "l.site = s.site AND l.\(time) >= s.lower AND l.\(time) < s.upper"
    }

    /// SQL of what is grouped by: cheap to compute.
    ///
    /// - Parameter value: what a row or cell has of a dimension that is not of the clock.
    func key(of dimension: Dimension, _ reading: Reading, value: String) -> String {
        var local = "(l.\(time) AT TIME ZONE s.zone)"
        if case .cells = reading {
            if dimension == .month { return "l.month::timestamp" }
            local = "(\(dayOfCell))::timestamp"
        }
        return switch dimension {
        case .month, .week, .day: "date_trunc('\(dimension.rawValue)', \(local))"
        case .hourOfDay: "extract(hour FROM \(local))::int"
        case .weekday: "extract(isodow FROM \(local))::int"
        case .site: "s.site"
        default: value
        }
    }
}

extension Dimension {
    /// SQL of a key as text, of few rows.
    func text(of key: String) -> String {
        switch self {
        case .month, .week, .day: "to_char(\(key), '\(calendarFormat)')"
        case .hourOfDay: "to_char(\(key), 'FM00')"
        case .weekday: "(ARRAY['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'])[\(key)]"
        case .area, .camera, .monitored, .immediate, .rule, .late: "(\(key))::text"
        default: key
        }
    }
}

extension [Dimension] {
    /// SQL of the keys `k0` and so on of sums `c` as text, each behind a comma.
    var keyTexts: String {
        enumerated().map { ", \($0.element.text(of: "c.k\($0.offset)"))" }.joined()
    }
}

extension StatisticsQuestion {
    /// Returns what holds for the rows of a table that are of the modes asked for.
    func isOfModes(_ table: String, in query: inout Query) -> String {
        guard let operatingModes else { return "true" }
        return "\(table).operating_mode = ANY (\(query.bind(.texts(operatingModes))))"
    }
}
