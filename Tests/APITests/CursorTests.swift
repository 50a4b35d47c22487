import ControlCentre
import Store
import Testing

@testable import API

@Suite struct `Cursors` {
    private static let id = "01990000-0000-7000-8000-000000000001"

    private func isUUID(_ text: String) -> Bool { UUID(text) != nil }

    @Test(arguments: [0, 1, -1, 1_764_000_000_250_000, 253_402_300_799_999_999] as [Int64])
    func `of a list come back as they went`(microseconds: Int64) throws {
        let time = try #require(Timestamp(microsecondsSinceEpoch: microseconds))
        let keyset = Keyset(time: time, id: Self.id)

        let text = Cursor.encode(keyset)

        #expect(Cursor.decode(text, isID: isUUID) == keyset)
        #expect(text.utf8.allSatisfy { $0.isUnreserved })
    }

    @Test func `of the journal come back as they went`() {
        for event in [EventID.origin, EventID(position: .max, ordinal: .max)] {
            #expect(Cursor.decode(Cursor.encode(event)) == event)
        }
    }

    @Test(arguments: [
        "", " ", "!", "====", "MTIz", "AAAA", "AP8", "ÿ",
        String(repeating: "A", count: 501), String(repeating: "A", count: 500),
        encoded("1 "), encoded(" \(id)"), encoded("1 2 \(id)"), encoded("x \(id)"),
        encoded("99999999999999999999 \(id)"), encoded("9223372036854775807 \(id)"),
        encoded("1 \(id)' OR 1=1"), encoded("1 \(id)\0"), encoded("1.5 \(id)"),
        encoded("1\n\(id)"), encoded("1 id"),
    ])
    func `that no page gave are refused`(text: String) {
        #expect(Cursor.decode(text, isID: isUUID) == nil)
    }

    @Test(arguments: ["", "1", "1.", ".1", "1.-1", "-1.0", "1.2.3", "1.2147483648", "a.b"])
    func `that are no event are refused`(text: String) {
        let cursor: EventID? = Cursor.decode(Self.encoded(text))
        #expect(cursor == nil)
    }

    @Test func `broken at random never trap, and decode to what could have been given`() {
        var random = SystemRandomNumberGenerator()
        let whole = Array(Cursor.encode(Keyset(time: .now(), id: Self.id)).utf8)
        for _ in 0..<2_000 {
            var bytes = whole
            let index = Int.random(in: 0..<bytes.count, using: &random)
            bytes[index] = UInt8.random(in: 32..<127, using: &random)
            guard
                let found = Cursor.decode(String(decoding: bytes, as: UTF8.self), isID: isUUID)
            else { continue }
            #expect(isUUID(found.id))
        }
    }

    /// Base64url of any text, as a forger would write it.
    private static func encoded(_ text: String) -> String {
        let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
        let bits = text.utf8.map { byte in
            let digits = String(byte, radix: 2)
            return String(repeating: "0", count: 8 - digits.count) + digits
        }.joined()
        var result = ""
        var rest = bits[...]
        while !rest.isEmpty {
            let group = rest.prefix(6)
            rest = rest.dropFirst(6)
            let padded = group + String(repeating: "0", count: 6 - group.count)
            result.append(alphabet[Int(padded, radix: 2) ?? 0])
        }
        return result
    }
}

extension UInt8 {
    /// RFC 3986, section 2.3: needs no escape in a query.
    fileprivate var isUnreserved: Bool {
        let character = Character(Unicode.Scalar(self))
        return character.isASCII
            && (character.isLetter || character.isNumber || "-._~".contains(character))
    }
}
