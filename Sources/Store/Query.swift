import ControlCentre
import PostgreSQL

/// A list's SELECT, put together from the filters that are set.
///
/// Each combination of filters has its own text, so that each is planned for itself; the values
/// are always parameters.
struct Query {
    private(set) var parameters: [Parameter] = []
    private var conditions: [String] = []

    /// Takes a value and returns its place, such as `$3`.
    mutating func bind(_ parameter: Parameter) -> String {
        parameters.append(parameter)
        return "$\(parameters.count)"
    }

    /// Demands that the column equals the value, when there is one.
    mutating func filter(_ column: String, _ value: Parameter?) {
        guard let value else { return }
        conditions.append("\(column) = \(bind(value))")
    }

    /// Demands that the column equals one of the values, when they are given.
    mutating func filter(_ column: String, anyOf values: [some RawRepresentable<String>]?) {
        guard let values else { return }
        if values.count == 1 {
            conditions.append("\(column) = \(bind(.text(values[0].rawValue)))")
        } else {
            conditions.append("\(column) = ANY (\(bind(.texts(values.map(\.rawValue)))))")
        }
    }

    /// Demands `from <= column < to`.
    mutating func filter(_ column: String, from: Timestamp?, to: Timestamp?) {
        if let from { conditions.append("\(column) >= \(bind(.time(from)))") }
        if let to { conditions.append("\(column) < \(bind(.time(to)))") }
    }

    mutating func filter(_ condition: String) { conditions.append(condition) }

    /// `WHERE …`, or nothing.
    var whereClause: String {
        conditions.isEmpty ? "" : "WHERE " + conditions.joined(separator: " AND ")
    }
}
