import ControlCentre
import HTTP
import Store

extension API {
    /// Creates something, but only once for the `Idempotency-Key` that the request may have: sent
    /// again, it is answered as it was the first time.
    ///
    /// - Parameter path: where what is created is found.
    func once(
        _ call: Call, path: String, _ create: (Author) async throws -> Response
    ) async throws -> Response {
        var author = try call.author()
        guard let request = try call.repeatable(path) else { return try await create(author) }
        if let known = try await remembered(request, of: author, path) { return known }
        author.request = request
        do {
            return try await create(author)
        } catch {
            // The same at the same time: the other has created what this one finds in its way.
            if let known = try await remembered(request, of: author, path) { return known }
            throw error
        }
    }

    private func remembered(_ request: RepeatableRequest, of author: Author, _ path: String)
        async throws -> Response?
    {
        switch try await database.remembered(request, by: author.token) {
        case .none: return nil
        case .created(let document):
            return .created(Stored(document: document, revision: 1), path: path)
        case .another:
            throw Problem.header(
                "Idempotency-Key", "request.key-reused",
                "was sent with another request; a new one needs a key of its own")
        }
    }
}

extension Call {
    /// The request as it is known again, if it wants to be.
    fileprivate func repeatable(_ path: String) throws(Problem) -> RepeatableRequest? {
        guard let key = request.fields.first(named: "idempotency-key") else { return nil }
        guard (16...200).contains(key.utf8.count),
            key.utf8.allSatisfy({ (0x21...0x7e).contains($0) })
        else {
            throw .header(
                "Idempotency-Key", "request.key-invalid",
                "must be 16 to 200 visible ASCII characters, as of a UUID")
        }
        return RepeatableRequest(key: key, content: Array("\(path)\n".utf8) + request.body)
    }
}
