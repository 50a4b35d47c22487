import ControlCentre
import PostgreSQL

/// A list's SELECT, put together from the filters that are set.
///
/// Each combination of filters has its own text, so that each is planned for itself. What clients
/// make up is always a parameter. Names of a closed list stand in the text: a prepared statement
/// would otherwise be planned for a value of average frequency, and then read the whole table for
/// one that hardly ever occurs; and no index that leaves rows out would serve it.
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

    /// Demands that the column equals one of the values of a closed list, when they are given.
    mutating func filter<Value: RawRepresentable<String> & CaseIterable>(
        _ column: String, anyOf values: [Value]?
    ) {
        guard let values else { return }
        let names = values.map { "'\($0.rawValue)'" }
        conditions.append(
            names.count == 1
                ? "\(column) = \(names[0])" : "\(column) IN (\(names.joined(separator: ", ")))")
    }

    /// Demands that the condition is true, or that it is false, when either is asked for.
    mutating func filter(_ condition: String, is isTrue: Bool?) {
        guard let isTrue else { return }
        conditions.append(isTrue ? condition : "NOT \(condition)")
    }

    /// Demands `from <= column < to`.
    mutating func filter(_ column: String, from: Timestamp?, to: Timestamp?) {
        if let from { conditions.append("\(column) >= \(bind(.time(from)))") }
        if let to { conditions.append("\(column) < \(bind(.time(to)))") }
    }

    mutating func filter(_ condition: String) { conditions.append(condition) }

    /// `WHERE …`, or nothing.
    var whereClause: String { condition.map { "WHERE \($0)" } ?? "" }

    /// All that is demanded; nil: nothing.
    var condition: String? {
        conditions.isEmpty ? nil : conditions.joined(separator: " AND ")
    }
}
