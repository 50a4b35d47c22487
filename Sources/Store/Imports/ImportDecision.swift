import ControlCentre
import PostgreSQL

/// What a line of a file says, and where it stands.
struct NumberedLine<Record> {
    let line: Int
    let record: Record
}

/// A line that is taken over, with what becomes of it.
struct NewLine<Subject> {
    let line: Int
    let key: String
    let hash: [UInt8]
    let subject: Subject
}

/// What becomes of some lines.
struct ImportDecision {
    var statements: [Statement] = []
    var faults: [HistoricFault] = []
    var tally = ImportTally()

    mutating func refuse(_ found: [HistoricFault]) {
        faults += found
        tally.refused += 1
    }

    /// Goes through lines of one kind: counts those that have been taken over already, refuses
    /// those that are wrong, and returns the others.
    ///
    /// - Parameters:
    ///   - known: the keys of the lines; those that are returned are added.
    ///   - read: gives what a line says of times, and all that it says; nil with what is wrong.
    ///   - make: gives what becomes of a line that is not known; nil with what is wrong.
    mutating func sort<Record: HistoricRecord, Times, Subject>(
        _ lines: [NumberedLine<Record>], _ known: inout KnownKeys,
        read: (Record, FaultCollector) -> (Times, content: [String?])?,
        make: (Record, Times, FaultCollector) -> Subject?
    ) -> [NewLine<Subject>] {
        var new: [NewLine<Subject>] = []
        for line in lines {
            let key = line.record.key
            let faults = FaultCollector(line.line)
            guard let (times, content) = read(line.record, faults) else {
                refuse(faults.found)
                continue
            }
            let hash = KnownKeys.hash(of: content)
            switch known.finding(key, hash) {
            case .same:
                tally.known += 1
                continue
            case .other(let fault):
                refuse([fault.inLine(line.line)])
                continue
            case .new:
                break
            }
            guard let subject = make(line.record, times, faults) else {
                refuse(faults.found)
                continue
            }
            known.add(key, hash, line: line.line)
            new.append(NewLine(line: line.line, key: key, hash: hash, subject: subject))
        }
        return new
    }
}

/// What a source keeps under a key of its own.
protocol HistoricRecord {
    var key: String { get }
}

extension HistoricIncident: HistoricRecord {}
extension HistoricIntervention: HistoricRecord {}
