extension JSON {
    /// The value as JSON without white space, in UTF-8.
    ///
    /// With `sortedKeys` this is the *canonical form*: two documents that say the same give the
    /// same bytes. In it
    /// - members are sorted by the code points of their names;
    /// - equal numbers are written alike: a whole number that fits `Int64` as an integer (`1.0` and
    ///   `1e0` as `1`, `-0.0` as `0`), exactly even beyond 2⁵³, and any other in the fewest digits
    ///   that read back as the same `Double`;
    /// - texts are kept byte by byte (no Unicode normalisation), escaping only what must be.
    ///
    /// Close to RFC 8785, which rounds integers beyond 2⁵³ and sorts by UTF-16 units.
    public func serialized(sortedKeys: Bool = false) -> [UInt8] {
        var writer = JSONWriter()
        if sortedKeys {
            writer.canonical(self)
        } else {
            writer.value(self)
        }
        return writer.bytes
    }
}

extension JSONWriter {
    fileprivate mutating func canonical(_ json: JSON) {
        switch json {
        case .number(let number):
            if let whole = Int64(exactly: number) {
                value(whole)
            } else {
                value(number)
            }
        case .array(let items):
            array { writer in
                for item in items {
                    writer.canonical(item)
                }
            }
        case .object(let object):
            self.object { writer in
                for member in object.membersSortedByName {
                    writer.name(member.name)
                    writer.canonical(member.value)
                }
            }
        case .null, .bool, .integer, .string:
            value(json)
        }
    }
}
