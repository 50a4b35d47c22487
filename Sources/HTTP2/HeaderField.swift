/// One header field: a lower-case name and its value, pseudo-header fields (`:path`) included.
///
/// A tuple on purpose: HTTP/1.1, HTTP/2 and the values above them share it without importing each
/// other.
public typealias HeaderField = (name: String, value: String)
