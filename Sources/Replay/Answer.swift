import Client
import JSON

/// What a server's response says about the detections of one request.
enum Answer: Equatable {
    /// One outcome for each detection, in their order.
    case outcomes([Outcome])
    /// Send the same again, not before the time that the server named.
    case later(reason: String, after: Duration?)
    /// Sending it again would not help.
    case rejected(String)

    enum Outcome: Equatable {
        case created(alarm: String?)
        case duplicate(alarm: String?)
        case countedOnly
        /// For the reason with this code.
        case refused(String)
    }

    /// The server's limits and troubles that pass: RFC 9110, section 15, and RFC 6585.
    private static let passing: Set<Int> = [408, 429, 500, 502, 503, 504]

    /// - Parameter count: of detections in the request.
    init(_ response: ClientResponse, to count: Int) {
        if Self.passing.contains(response.status) {
            let after = response.field("retry-after").flatMap { Int64($0) }
            self = .later(reason: Self.reason(of: response), after: after.map { .seconds($0) })
            return
        }
        // What is not JSON is told apart below: it has no outcome.
        let json = (try? JSON.parse(response.body)) ?? .null
        let outcomes: [Outcome?]
        switch (response.status, count) {
        case (422, 1): outcomes = [json["code"]?.asString.map { .refused($0) }]
        case (200, 1), (201, 1): outcomes = [Outcome(json)]
        case (200, _): outcomes = json["items"]?.asArray?.map { Outcome($0) } ?? []
        default:
            self = .rejected(Self.reason(of: response))
            return
        }
        let known = outcomes.compactMap { $0 }
        self =
            known.count == count
            ? .outcomes(known)
            : .rejected("the server's answer has no outcome for each detection")
    }

    private static func reason(of response: ClientResponse) -> String {
        let json = (try? JSON.parse(response.body)) ?? .null
        let words = [json["code"]?.asString, json["detail"]?.asString].compactMap { $0 }
        return (["\(response.status)"] + words).joined(separator: ", ")
    }
}

extension Answer.Outcome {
    fileprivate init?(_ json: JSON) {
        switch json["outcome"]?.asString {
        case "created": self = .created(alarm: json["alarm"]?.asString)
        case "duplicate": self = .duplicate(alarm: json["alarm"]?.asString)
        case "counted_only": self = .countedOnly
        case "refused": self = .refused(json["problem"]?["code"]?.asString ?? "unknown")
        default: return nil
        }
    }
}

extension Tally {
    mutating func add(_ outcome: Answer.Outcome) {
        switch outcome {
        case .created(let alarm):
            created += 1
            if let alarm { note(alarm: alarm) }
        case .duplicate(let alarm):
            duplicates += 1
            if let alarm { note(alarm: alarm) }
        case .countedOnly: countedOnly += 1
        case .refused(let code): refusals[code, default: 0] += 1
        }
    }
}
