import ControlCentre
import JSON
import Store
import TLS

/// A file of a history, read from its beginning to its end, and that as often as it takes.
///
/// Owned by whoever made it; only pieces are ever in memory.
public final class HistoryFile: HistorySource {
    /// Where the bytes come from.
    public struct Bytes {
        /// The next piece, never empty; nil at the end.
        let read: () -> [UInt8]?
        /// Begins anew.
        let rewind: () -> Void
        /// Whether `read` ended before the end.
        let isBroken: () -> Bool

        public init(
            read: @escaping () -> [UInt8]?, rewind: @escaping () -> Void,
            isBroken: @escaping () -> Bool
        ) {
            self.read = read
            self.rewind = rewind
            self.isBroken = isBroken
        }

        /// Those of an array.
        public init(_ bytes: [UInt8]) {
            var rest = bytes[...]
            self.init(
                read: {
                    let piece = rest.prefix(Self.pieceBytes)
                    rest = rest.dropFirst(Self.pieceBytes)
                    return piece.isEmpty ? nil : Array(piece)
                },
                rewind: { rest = bytes[...] }, isBroken: { false })
        }

        private static let pieceBytes = 64 * 1024
    }

    private enum Reader {
        case csv(CSVReader, CSVHeader?)
        case ndjson(LineReader)
        case ended
    }

    public let format: HistoryFormat
    /// How many bytes have been read since the beginning.
    public private(set) var bytesRead = 0
    public private(set) var hash: [UInt8] = []
    private let bytes: Bytes
    private var digest = SHA256()
    private var reader = Reader.ended

    /// Lines of one piece.
    private static let pieceLines = 2_000

    public init(_ bytes: Bytes, format: HistoryFormat) {
        self.bytes = bytes
        self.format = format
        restart()
    }

    public var isBroken: Bool { bytes.isBroken() }

    public func restart() {
        bytes.rewind()
        bytesRead = 0
        digest = SHA256()
        let queue = ByteQueue { [unowned self] in
            guard let piece = bytes.read() else { return nil }
            bytesRead += piece.count
            digest.update(piece)
            return piece
        }
        switch format {
        case .csv: reader = .csv(CSVReader(queue), nil)
        case .ndjson: reader = .ndjson(LineReader(queue))
        }
    }

    public func next() -> HistoryPiece? {
        var piece = HistoryPiece()
        while piece.lineCount < Self.pieceLines, read(into: &piece) {}
        if piece.lineCount > 0 || !piece.faults.isEmpty { return piece }
        if hash.isEmpty { hash = digest.digest() }
        return nil
    }

    /// Reads a line; false at the end.
    private func read(into piece: inout HistoryPiece) -> Bool {
        switch reader {
        case .ended:
            return false
        case .csv(var csv, let header):
            // Held in one place only, or its buffer would be copied.
            reader = .ended
            return read(&csv, header, into: &piece)
        case .ndjson(var lines):
            reader = .ended
            guard let line = lines.next() else { return false }
            reader = .ndjson(lines)
            take(line, into: &piece)
            return true
        }
    }

    private func read(
        _ csv: inout CSVReader, _ header: CSVHeader?, into piece: inout HistoryPiece
    ) -> Bool {
        guard let result = csv.next() else {
            if header == nil {
                piece.refuse(
                    [HistoricFault(line: 1, column: nil, code: "missing", detail: Self.noHeader)])
            }
            return false
        }
        do throws(HistoricFaults) {
            let record: CSVReader.Record
            switch result {
            case .success(let read): record = read
            case .failure(let fault):
                throw HistoricFaults(
                    [MemberError(pointer: "", code: "malformed", detail: fault.detail)],
                    line: fault.line)
            }
            if let header {
                piece.take(try HistoricRow(try header.fields(of: record), line: record.line))
            } else {
                reader = .csv(csv, try CSVHeader(record))
                return true
            }
        } catch {
            piece.refuse(error.faults)
            // Without its header nothing of the table can be understood; its digest is due still.
            if header == nil {
                while csv.next() != nil {}
                return false
            }
        }
        reader = .csv(csv, header)
        return true
    }

    private static let noHeader =
        "must name the columns in its first line, such as key,category,occurred_at"

    private func take(_ line: LineReader.Line, into piece: inout HistoryPiece) {
        let (number, error): (Int, MemberError)
        switch line {
        case .tooLong(let line):
            number = line
            error = MemberError(
                pointer: "", code: "out-of-range",
                detail: "is longer than \(LineReader.lineBytesMax) bytes")
        case .line(let line, let bytes):
            number = line
            do throws(JSONError) {
                let json = try JSON.parse(bytes)
                guard let fields = json.asObject else {
                    error = MemberError(
                        pointer: "", code: "wrong-type", detail: "must be a JSON object")
                    break
                }
                do throws(HistoricFaults) {
                    piece.take(try HistoricRow(fields, line: line))
                } catch {
                    piece.refuse(error.faults)
                }
                return
            } catch let problem {
                error = MemberError(
                    pointer: "", code: "malformed",
                    detail: "is not JSON: \(problem.reason) (column \(problem.column))")
            }
        }
        piece.refuse(HistoricFaults([error], line: number).faults)
    }
}
