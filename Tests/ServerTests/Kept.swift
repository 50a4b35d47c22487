/// A client that one thread hands to a later one.
final class Kept<Client>: @unchecked Sendable {
    // Unchecked: the test uses it from one thread after the other.
    private(set) var client: Client?

    init(_ client: Client) { self.client = client }

    func drop() { client = nil }
}
