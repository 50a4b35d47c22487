// How bytes stand in JSON and in addresses.

extension [UInt8] {
    var hexadecimal: String {
        map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }

    /// Nil: these are not that many bytes in hexadecimal.
    init?(hexadecimal text: String, count: Int) {
        let digits = text.utf8.map { Character(Unicode.Scalar($0)).hexDigitValue }
        guard digits.count == 2 * count else { return nil }
        self = []
        for place in stride(from: 0, to: digits.count, by: 2) {
            guard let high = digits[place], let low = digits[place + 1] else { return nil }
            append(UInt8(high << 4 | low))
        }
    }

    /// RFC 4648, section 4.
    var base64: String {
        let alphabet: [Unicode.Scalar] = base64Alphabet
        var text = ""
        for start in stride(from: 0, to: count, by: 3) {
            let group = self[start..<Swift.min(start + 3, count)]
            var bits: UInt32 = 0
            for byte in group { bits = bits << 8 | UInt32(byte) }
            bits <<= UInt32(8 * (3 - group.count))
            for place in 0..<4 {
                let isPadding = place > group.count
                let letter = alphabet[Int(bits >> UInt32(18 - 6 * place)) & 63]
                text.unicodeScalars.append(isPadding ? "=" : letter)
            }
        }
        return text
    }
}

private let base64Alphabet = [Unicode.Scalar](
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".unicodeScalars)
