/// Takes a table of comma-separated values apart (RFC 4180), from bytes that come piece by piece.
///
/// Lines may end in LF too, a byte order mark may come first, and blank lines are passed over. What
/// breaks the format is a fault of its line, and reading goes on with the next; only after a
/// quotation mark that is never closed nothing can be made of the rest.
struct CSVReader {
    struct Record: Equatable {
        /// Where it begins, counted from 1.
        let line: Int
        let fields: [String]
    }

    struct Fault: Error, Equatable {
        let line: Int
        let detail: String
    }

    /// Bytes of one record at most, whatever lines it spans.
    static let recordBytesMax = 64 * 1024

    private var bytes: ByteQueue
    /// The line of the byte that comes next.
    private var line = 1
    private var isAtStart = true

    init(_ bytes: ByteQueue) { self.bytes = bytes }

    /// The next record or what is wrong with it; nil at the end.
    mutating func next() -> Result<Record, Fault>? {
        if isAtStart {
            isAtStart = false
            bytes.dropByteOrderMark()
        }
        while let byte = bytes.peek() {
            if byte == Self.lineFeed {
                _ = bytes.pop()
                line += 1
            } else if byte == Self.carriageReturn, bytes.peek(1) == Self.lineFeed {
                _ = bytes.pop()
            } else {
                return record()
            }
        }
        return nil
    }

    private mutating func record() -> Result<Record, Fault> {
        let start = line
        var room = Self.recordBytesMax
        var fields: [String] = []
        while true {
            let field: [UInt8]
            do throws(Flaw) {
                field = try self.field(room: &room)
            } catch {
                return .failure(fault(error, at: start))
            }
            guard let text = String(validating: field, as: UTF8.self) else {
                skipLine()
                return .failure(
                    Fault(line: start, detail: "is not UTF-8; save the file in that encoding"))
            }
            guard !field.contains(0) else {
                skipLine()
                return .failure(Fault(line: start, detail: "has a NUL character"))
            }
            fields.append(text)
            switch bytes.pop() {
            case Self.comma:
                guard room > 0 else { return .failure(fault(.tooLong, at: start)) }
                room -= 1
            case Self.carriageReturn:
                _ = bytes.pop()
                line += 1
                return .success(Record(line: start, fields: fields))
            case Self.lineFeed:
                line += 1
                return .success(Record(line: start, fields: fields))
            default:
                return .success(Record(line: start, fields: fields))
            }
        }
    }

    private enum Flaw: Error {
        case tooLong
        case unclosed
        case strayQuote
        case strayCarriageReturn
        case textAfterQuote
    }

    /// The bytes of the field that comes next; its separator stays.
    private mutating func field(room: inout Int) throws(Flaw) -> [UInt8] {
        var field: [UInt8] = []
        guard bytes.peek() == Self.quote else {
            while let byte = bytes.peek(), byte != Self.comma, byte != Self.lineFeed {
                if byte == Self.quote { throw .strayQuote }
                if byte == Self.carriageReturn {
                    if bytes.peek(1) == Self.lineFeed { break }
                    throw .strayCarriageReturn
                }
                try take(byte, &field, &room)
            }
            return field
        }
        _ = bytes.pop()
        while let byte = bytes.peek() {
            if byte == Self.quote {
                guard bytes.peek(1) == Self.quote else { break }
                _ = bytes.pop()
            } else if byte == Self.lineFeed {
                line += 1
            }
            try take(byte, &field, &room)
        }
        guard bytes.pop() == Self.quote else { throw .unclosed }
        switch (bytes.peek(), bytes.peek(1)) {
        case (nil, _), (Self.comma, _), (Self.lineFeed, _), (Self.carriageReturn, Self.lineFeed):
            return field
        default:
            throw .textAfterQuote
        }
    }

    private mutating func take(
        _ byte: UInt8, _ field: inout [UInt8], _ room: inout Int
    ) throws(Flaw) {
        guard room > 0 else { throw .tooLong }
        room -= 1
        field.append(byte)
        _ = bytes.pop()
    }

    private mutating func fault(_ flaw: Flaw, at start: Int) -> Fault {
        let detail: String
        switch flaw {
        case .strayQuote:
            detail =
                "has a quotation mark within a field; put the field in quotation marks and each one"
                + " in it twice"
        case .strayCarriageReturn:
            detail = "has a carriage return that no line feed follows"
        case .textAfterQuote:
            detail =
                "has text after a closing quotation mark; a comma or the line's end must follow, and"
                + " a quotation mark within a field is written twice"
        case .tooLong where line == start:
            detail = "is longer than \(Self.recordBytesMax) bytes"
        case .tooLong, .unclosed:
            // Where it should have ended nobody can tell, and looking for that at each further line
            // would cost the file's length for each.
            bytes.clear()
            return Fault(
                line: start,
                detail: "has a quotation mark that is not closed within \(Self.recordBytesMax)"
                    + " bytes; nothing after it was read")
        }
        skipLine()
        return Fault(line: start, detail: detail)
    }

    private mutating func skipLine() {
        while let byte = bytes.pop() {
            guard byte != Self.lineFeed else {
                line += 1
                return
            }
        }
    }

    private static let quote = UInt8(ascii: "\"")
    private static let comma = UInt8(ascii: ",")
    private static let lineFeed = UInt8(ascii: "\n")
    private static let carriageReturn = UInt8(ascii: "\r")
}
