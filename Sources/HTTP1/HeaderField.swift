/// One header field: its name in lower case and its value without the surrounding blanks.
///
/// A tuple on purpose: HTTP/2 and the router spell the same type without importing this module.
public typealias HeaderField = (name: String, value: String)
