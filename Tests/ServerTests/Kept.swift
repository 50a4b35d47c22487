/// A client that one thread hands to a later one.
final class Kept: @unchecked Sendable {
    // Unchecked: the test uses it from one thread after the other.
    private(set) var client: RawClient?

    init(_ client: RawClient) { self.client = client }

    func drop() { client = nil }
}
