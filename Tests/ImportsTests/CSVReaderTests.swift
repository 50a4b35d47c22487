import Testing

@testable import Imports

/// All records and faults of a text, given to the reader in pieces of so many bytes.
private func read(_ bytes: [UInt8], inPiecesOf size: Int) -> [Result<
    CSVReader.Record, CSVReader.Fault
>] {
    var rest = bytes[...]
    var reader = CSVReader(
        ByteQueue {
            let piece = Array(rest.prefix(size))
            rest = rest.dropFirst(size)
            return piece.isEmpty ? nil : piece
        })
    var results: [Result<CSVReader.Record, CSVReader.Fault>] = []
    while let result = reader.next() { results.append(result) }
    return results
}

private func records(_ text: String, inPiecesOf size: Int = 1_000) throws -> [[String]] {
    try read(Array(text.utf8), inPiecesOf: size).map { try $0.get().fields }
}

private func lines(_ text: String) -> [Int] {
    read(Array(text.utf8), inPiecesOf: 1_000).map {
        switch $0 {
        case .success(let record): record.line
        case .failure(let fault): -fault.line
        }
    }
}

@Suite struct `Comma-separated values` {
    static let tables: [(String, [[String]])] = [
        ("", []),
        ("a", [["a"]]),
        ("a,b\r\n1,2\r\n", [["a", "b"], ["1", "2"]]),
        ("a,b\n1,2", [["a", "b"], ["1", "2"]]),
        ("a,,\n,,b\n", [["a", "", ""], ["", "", "b"]]),
        ("\u{FEFF}a,b\n", [["a", "b"]]),
        ("\u{FEFF}\"a\",b\n", [["a", "b"]]),
        (" a , b \n", [[" a ", " b "]]),
        ("\"a,b\",c\n", [["a,b", "c"]]),
        ("\"a \"\"b\"\" c\"\n", [["a \"b\" c"]]),
        ("\"\",\"\"\"\"\n", [["", "\""]]),
        ("\"two\r\nlines\",x\r\nz,y\r\n", [["two\r\nlines", "x"], ["z", "y"]]),
        ("\"lone \r return\",x\n", [["lone \r return", "x"]]),
        ("\r\n\na\r\n\r\nb\n\n", [["a"], ["b"]]),
        ("Straße,Plätze 🚓\n", [["Straße", "Plätze 🚓"]]),
        ("\"a\"", [["a"]]),
        ("a,\"\"", [["a", ""]]),
        ("a,", [["a", ""]]),
    ]

    @Test(arguments: tables)
    func `are read as RFC 4180 says, however they are cut`(text: String, expected: [[String]])
        throws
    {
        for size in [1, 2, 3, 1_000] {
            #expect(try records(text, inPiecesOf: size) == expected)
        }
    }

    static let broken: [(String, String)] = [
        ("a\"b,c\nd\n", "has a quotation mark within a field"),
        ("\"a\" ,c\nd\n", "has text after a closing quotation mark"),
        ("\"a\"\"\"b\nd\n", "has text after a closing quotation mark"),
        ("a\rb\nd\n", "has a carriage return that no line feed follows"),
        ("a\u{0}b\nd\n", "has a NUL character"),
    ]

    @Test(arguments: broken)
    func `that break the format spoil their own line only`(text: String, beginning: String) {
        let results = read(Array(text.utf8), inPiecesOf: 1_000)

        #expect(results.count == 2)
        guard case .failure(let fault)? = results.first else {
            Issue.record("\(text) was taken")
            return
        }
        #expect(fault.line == 1)
        #expect(fault.detail.hasPrefix(beginning))
        #expect(results.last == .success(CSVReader.Record(line: 2, fields: ["d"])))
    }

    @Test func `that are not UTF-8 spoil their own line only`() {
        let results = read([0x61, 0xFF, 0x0A, 0x62, 0x0A], inPiecesOf: 1_000)

        #expect(results.count == 2)
        #expect(throws: CSVReader.Fault.self) { try results[0].get() }
        #expect(results[1] == .success(CSVReader.Record(line: 2, fields: ["b"])))
    }

    @Test func `tell on which line each record begins`() {
        #expect(lines("a\r\n\"b\nc\nd\",e\n\nf\n") == [1, 2, 6])
        #expect(lines("a\nb\"\nc\n") == [1, -2, 3])
        #expect(lines("a\n\"b\nc\"d\ne\n") == [1, -2, 4])
    }

    @Test func `end with a quotation mark that is never closed`() {
        #expect(lines("a\nb,\"c\nd\ne\n") == [1, -2])
        let long = String(repeating: "x\n", count: CSVReader.recordBytesMax)
        #expect(lines("a\n\"\(long)\"\nd\n") == [1, -2])
    }

    @Test func `have records of a bounded size`() {
        let most = String(repeating: "x", count: CSVReader.recordBytesMax)
        #expect(lines("\(most)\nb\n") == [1, 2])
        #expect(lines("\(most)x\nb\n") == [-1, 2])
        // Commas alone are bytes too.
        let commas = String(repeating: ",", count: CSVReader.recordBytesMax)
        #expect(lines("\(commas)\nb\n") == [1, 2])
        #expect(lines("\(commas),\nb\n") == [-1, 2])
    }
}
