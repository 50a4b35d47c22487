/// Reads the members of an object that a client sent, and collects everything that is wrong with
/// them rather than stop at the first.
///
///     var reader = ObjectReader(json)
///     let name = reader.requiredString("name", length: 1...200)
///     let monitored = reader.optionalBool("monitored") ?? false
///     reader.rejectUnknown()
///     guard let name, reader.errors.isEmpty else { return .refused(reader.errors) }
///
/// Each question about a member makes its name a known one; `rejectUnknown` refuses the others.
/// A question about a required member answers nil only after recording an error; about an optional
/// one also when it is absent, and about a nullable one when it is absent or null. For a required
/// member and an optional one null is an error.
/// When the JSON is no object, that is the only error, and every question answers nil.
public struct ObjectReader: Sendable {
    /// How many errors one reader keeps; of more it says only how many, so that a body of a hundred
    /// thousand unknown members does not become an answer many times its size.
    public static let errorsMax = 20

    private let object: JSONObject?
    private let pointer: String
    private var knownNames: [String] = []
    private var hasRejectedUnknown = false
    private var recorded: [MemberError] = []
    private var omittedCount = 0

    /// Begins to read `json`, which stands at `pointer` (RFC 6901, empty for the whole body).
    public init(_ json: JSON, at pointer: String = "") {
        self.pointer = pointer
        object = json.asObject
        knownNames.reserveCapacity(16)
        if object == nil {
            recorded.append(
                MemberError(
                    pointer: pointer, code: "wrong-type",
                    detail: "must be \(Expectation.object), is \(json.typeName)"))
        }
    }

    /// What is wrong so far, in the order of the questions; of more than `errorsMax` errors the last
    /// tells how many were left out.
    public var errors: [MemberError] {
        guard omittedCount > 0 else { return recorded }
        let more = MemberError(
            pointer: pointer, code: "more", detail: "has \(omittedCount) more errors")
        return recorded + [more]
    }

    /// Whether nothing is wrong so far.
    public var isValid: Bool { recorded.isEmpty }

    /// Whether the member is there, null included; tells a PATCH that clears from one that keeps.
    ///
    /// It does not make the name a known one.
    public func contains(_ name: String) -> Bool {
        object?[name] != nil
    }

    /// The member's JSON pointer.
    public func pointer(to name: String) -> String {
        pointer + pointerStep(to: name)
    }

    /// Records an error of the caller's own about a member, which need not be there.
    public mutating func refuse(_ name: String, code: String = "invalid", _ detail: String) {
        record(MemberError(pointer: pointer(to: name), code: code, detail: detail))
    }

    /// Records an error of the caller's own about anything inside this object.
    public mutating func refuse(_ error: MemberError) { record(error) }

    /// Records an error for each member that no question was about; further calls do nothing.
    public mutating func rejectUnknown() {
        guard let object, !hasRejectedUnknown else { return }
        hasRejectedUnknown = true
        let unknown = object.members.lazy.map(\.name).filter { [knownNames] name in
            !knownNames.contains { $0.hasSameBytes(as: name) }
        }
        guard !unknown.isEmpty else { return }
        let detail = "is not a known member; known are " + knownNames.joined(separator: ", ")
        for name in unknown {
            refuse(name, code: "unknown", detail)
        }
    }

    // MARK: For the questions in the other files

    /// What a member may be beside a value.
    enum Presence {
        case required
        case optional
        case nullable
    }

    /// The member's value, never null; nil when there is none, which may be an error.
    mutating func value(
        _ name: String, _ presence: Presence, _ expectation: @autoclosure () -> Expectation
    ) -> JSON? {
        knownNames.append(name)
        guard let object else { return nil }
        switch object[name] {
        case .some(.null):
            if presence != .nullable { refuseType(name, expectation(), .null) }
        case nil:
            if presence == .required { refuse(name, code: "missing", expectation(), "is missing") }
        case .some(let value):
            return value
        }
        return nil
    }

    mutating func refuse(
        _ name: String, code: String, _ expectation: Expectation, _ found: String
    ) {
        refuse(name, code: code, "must be \(expectation), \(found)")
    }

    mutating func refuseType(_ name: String, _ expectation: Expectation, _ value: JSON) {
        refuse(name, code: "wrong-type", expectation, "is \(value.typeName)")
    }

    mutating func record(_ error: MemberError) {
        if recorded.count < Self.errorsMax {
            recorded.append(error)
        } else {
            omittedCount += 1
        }
    }

    /// Takes over the errors of the reader of a part of this object.
    mutating func adopt(_ part: ObjectReader) {
        part.recorded.forEach { record($0) }
        omittedCount += part.omittedCount
    }
}
