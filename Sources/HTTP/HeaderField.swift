/// One header field; names are lower case.
///
/// A tuple, so that the codecs can share the shape without importing each other or this module.
public typealias HeaderField = (name: String, value: String)

extension [HeaderField] {
    /// The value of the first field of that name (given in lower case), or nil.
    public func first(named name: String) -> String? {
        for field in self where field.name == name { return field.value }
        return nil
    }
}
