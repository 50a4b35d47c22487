/// Reads a request's query parameters and collects everything that is wrong with them.
///
///     var query = QueryReader(request)
///     let limit = query.integer("limit", in: 1...500) ?? 50
///     let site = query.value("site", expected: "a site's id", SiteID.init)
///     try query.finish()
public struct QueryReader {
    private let parameters: [Target.Parameter]
    private var asked: Set<String> = []
    private var faults: [Problem.Fault] = []

    public init(_ request: Request) { self.init(request.target.query) }

    /// Reads what was not sent as a query, but is to be read as one.
    public init(_ parameters: [Target.Parameter]) { self.parameters = parameters }

    /// The parameter's text, or nil when it is absent. Given twice, it is a fault.
    public mutating func text(_ name: String) -> String? {
        asked.insert(name)
        let given = parameters.filter { $0.name == name }
        if given.count > 1 { refuse(name, code: "duplicate", "is given \(given.count) times") }
        return given.first?.value
    }

    /// The parameter as `transform` understands it; a fault when it does not.
    public mutating func value<Value>(
        _ name: String, expected: String, _ transform: (String) -> Value?
    ) -> Value? {
        guard let text = text(name) else { return nil }
        if let value = transform(text) { return value }
        refuse(name, code: "invalid", "must be \(expected)")
        return nil
    }

    public mutating func integer(_ name: String, in range: ClosedRange<Int>) -> Int? {
        value(name, expected: "a whole number from \(range.lowerBound) to \(range.upperBound)") {
            guard let number = Int($0), range.contains(number) else { return nil }
            return number
        }
    }

    public mutating func bool(_ name: String) -> Bool? {
        value(name, expected: "true or false") { $0 == "true" ? true : $0 == "false" ? false : nil }
    }

    /// Records that a parameter is wrong.
    public mutating func refuse(_ name: String, code: String, _ detail: String) {
        faults.append(Problem.Fault(.parameter(name), code: code, detail: detail))
    }

    /// Throws one problem that names all faults and each parameter that nobody asked for.
    public mutating func finish() throws(Problem) {
        for parameter in parameters where !asked.contains(parameter.name) {
            let known = asked.sorted().joined(separator: ", ")
            refuse(
                parameter.name, code: "unknown",
                known.isEmpty ? "is unknown; none is taken here" : "is unknown; known are \(known)")
        }
        guard faults.isEmpty else {
            throw Problem(
                422, "parameter.invalid", "A query parameter is not valid.", faults: faults)
        }
    }
}
