import Testing

@testable import API

@Suite struct `A line of CSV` {
    @Test(arguments: [
        ("a", "a"), ("", ""), ("a b", "a b"), ("a,b", "\"a,b\""), ("a;b", "\"a;b\""),
        ("say \"hi\"", "\"say \"\"hi\"\"\""), ("two\nlines", "\"two\nlines\""),
        ("two\r\nlines", "\"two\r\nlines\""),
    ])
    func `quotes what would part it`(field: String, written: String) {
        #expect(CSVDialect.rfc4180.line([field, "x"]) == written + ",x\r\n")
        #expect(CSVDialect.excelDE.line([field, "x"]) == written + ";x\r\n")
    }

    @Test(arguments: [
        ("=1+1", "'=1+1"), ("+1", "'+1"), ("-1", "'-1"), ("@sum", "'@sum"), ("\tx", "'\tx"),
        ("＝1", "'＝1"), ("\r=1", "\"'\r=1\""), ("\n=1", "\"'\n=1\""), ("a=1", "a=1"),
        ("=\"a\"", "\"'=\"\"a\"\"\""),
    ])
    func `has no formula that a table program would run`(field: String, written: String) {
        for dialect in CSVDialect.allCases {
            #expect(dialect.line([field]) == written + "\r\n")
        }
    }
}
