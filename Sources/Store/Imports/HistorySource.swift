import ControlCentre

/// How a history is written down.
public enum HistoryFormat: String, Sendable, CaseIterable {
    case csv
    case ndjson
}

/// Some lines of a history: those that can be read, and what is wrong with the others.
public struct HistoryPiece {
    public private(set) var rows: [HistoricRow] = []
    public private(set) var faults: [HistoricFault] = []
    /// Lines read and refused.
    public private(set) var lineCount = 0

    public init() {}

    public mutating func take(_ row: HistoricRow) {
        rows.append(row)
        lineCount += 1
    }

    /// - Parameter found: all that is wrong with one line.
    public mutating func refuse(_ found: [HistoricFault]) {
        faults += found
        lineCount += 1
    }
}

/// A history that is handed over piece by piece, twice: first its incidents are taken, then the
/// interventions, which may stand before them.
public protocol HistorySource: AnyObject {
    var format: HistoryFormat { get }
    /// SHA-256 of its bytes, once it has been read to its end.
    var hash: [UInt8] { get }
    /// Whether reading failed before its end.
    var isBroken: Bool { get }
    /// Begins anew.
    func restart()
    /// The next lines; nil at the end.
    func next() -> HistoryPiece?
}
