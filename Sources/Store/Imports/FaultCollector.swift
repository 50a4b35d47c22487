import ControlCentre

/// Gathers what is wrong with one line.
final class FaultCollector {
    private let line: Int
    private(set) var found: [HistoricFault] = []

    init(_ line: Int) { self.line = line }

    var isEmpty: Bool { found.isEmpty }

    func add(_ fault: ColumnFault) { found.append(fault.inLine(line)) }

    /// What `read` gives; nil when it finds something wrong.
    func collect<Value>(_ read: () throws(ColumnFault) -> Value) -> Value? {
        do throws(ColumnFault) {
            return try read()
        } catch {
            add(error)
            return nil
        }
    }
}
