import JSON

extension JSON {
    /// Any value that a parser can give, of at most `depthMax` levels.
    static func random(depthMax: Int, using random: inout SplitMix) -> JSON {
        switch Int.random(in: 0..<(depthMax > 0 ? 8 : 6), using: &random) {
        case 0: .null
        case 1: .bool(Bool.random(using: &random))
        case 2: .integer(Int64(truncatingIfNeeded: random.next()))
        case 3: .integer(Int64.random(in: -1000...1000, using: &random))
        case 4: .number(Double.randomFinite(using: &random))
        case 5: .string(String.random(using: &random))
        case 6:
            .array(
                (0..<Int.random(in: 0..<5, using: &random)).map { _ in
                    JSON.random(depthMax: depthMax - 1, using: &random)
                })
        default:
            .object(
                JSONObject(
                    (0..<Int.random(in: 0..<5, using: &random)).map { index in
                        JSONObject.Member(
                            name: "\(index)" + String.random(using: &random),
                            value: JSON.random(depthMax: depthMax - 1, using: &random))
                    }))
        }
    }
}

extension Double {
    /// Any finite bit pattern, so that magnitudes of all sizes come up.
    static func randomFinite(using random: inout SplitMix) -> Double {
        let number = Double(bitPattern: random.next())
        return number.isFinite ? number : 0.1
    }
}

extension String {
    /// Up to twelve characters of all widths; U+0000 is the one that the parser refuses.
    static func random(using random: inout SplitMix) -> String {
        let ranges: [ClosedRange<UInt32>] = [
            0x1...0x1F, 0x20...0x7F, 0x20...0x7F, 0x80...0x7FF, 0x800...0xD7FF, 0xE000...0xFFFF,
            0x10000...0x10FFFF,
        ]
        var text = ""
        for _ in 0..<Int.random(in: 0...12, using: &random) {
            let range = ranges.randomElement(using: &random) ?? 0x20...0x7F
            let scalar = Unicode.Scalar(UInt32.random(in: range, using: &random))
            text.unicodeScalars.append(scalar ?? "?")
        }
        return text
    }
}
