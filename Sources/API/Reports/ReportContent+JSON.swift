import ControlCentre
import JSON

extension ReportContent {
    /// Nil: these are not the bytes that a server has frozen.
    init?(canonical bytes: [UInt8]) {
        guard let json = try? JSON.parse(bytes), let content = try? ReportContent(json) else {
            return nil
        }
        self = content
    }

    private init(_ json: JSON) throws(Damage) {
        id = try json.text("id")
        title = try json.text("title")
        reference = try json.text("reference")
        stand = try json.text("stand")
        timeZone = try json.text("time_zone")
        frozenAt = try json.text("frozen_at")
        let asOf = try json.member("as_of")
        position = try asOf.integer("position")
        recordedAt = asOf.textIfPresent("recorded_at")
        knownAt = try asOf.text("known_at")
        serverVersion = try json.text("server_version")
        tzdataVersion = json.textIfPresent("tzdata_version")
        keyID = try json.text("key")
        questions = try json.items("questions").map { (item) throws(Damage) in
            try Question(item)
        }
        let earlier = try json.member("continues")
        predecessor = earlier == .null ? nil : try Predecessor(earlier)
        definitions = try json.items("definitions").map { (item) throws(Damage) in
            try Definition(item)
        }
        words = try Words(json.member("words"))
    }
}

/// A member is missing or of another type than the server writes.
private struct Damage: Error {}

extension ReportContent.Question {
    fileprivate init(_ json: JSON) throws(Damage) {
        number = try json.integer("number")
        wording = try json.text("wording")
        let answer = try json.member("answer")
        kind = try answer.text("kind")
        text = answer.textIfPresent("text")
        figures = try answer.items("figures").map { (item) throws(Damage) in
            try ReportContent.Figure(item)
        }
    }
}

extension ReportContent.Figure {
    fileprivate init(_ json: JSON) throws(Damage) {
        let question = try json.member("question")
        try self.init(
            caption: json.textIfPresent("caption"), metric: try question.text("metric"),
            parameters: try question.member("parameters").texts(), answer: try json.member("answer")
        )
    }

    /// - Parameter answer: as `GET /v1/statistics/{metric}` gives it.
    private init(
        caption: String?, metric: String, parameters: [(name: String, value: String)],
        answer: JSON
    ) throws(Damage) {
        self.caption = caption
        self.metric = metric
        self.parameters = parameters
        self.answer = answer
        sentence = answer.textIfPresent("sentence")
        let groups = try answer.items("group_by").map { (item) throws(Damage) in
            guard let text = item.asString else { throw Damage() }
            return text
        }
        self.groups = groups
        parts = [
            try ReportContent.Part(answer, name: "asked", hasOtherLength: false, groups: groups)
        ]
        for comparison in try answer.items("comparisons") {
            parts.append(
                try ReportContent.Part(
                    comparison, name: comparison.text("comparison"),
                    hasOtherLength: comparison["unequal_lengths"]?.asBool ?? false,
                    groups: groups))
        }
    }

    /// A figure of an answer that has just been given.
    init?(
        caption: String?, metric: String, parameters: [(name: String, value: String)],
        given answer: JSON
    ) {
        guard
            let figure = try? Self(
                caption: caption, metric: metric, parameters: parameters, answer: answer)
        else { return nil }
        self = figure
    }
}

extension ReportContent.Part {
    fileprivate init(_ json: JSON, name: String, hasOtherLength: Bool, groups: [String])
        throws(Damage)
    {
        self.name = name
        self.hasOtherLength = hasOtherLength
        spans = try json.items("periods").map { (item) throws(Damage) in
            ReportContent.Span(
                site: try item.text("site"), localFrom: try item.text("local_from"),
                localTo: try item.text("local_to"),
                recordedSince: try item.text("recorded_since"),
                automaticSince: item.textIfPresent("automatic_since"))
        }
        cells = try json.items("cells").map { (item) throws(Damage) in
            let group = try item.member("group")
            return try ReportContent.Cell(
                item, keys: groups.map { group[$0]?.asString })
        }
        total = try ReportContent.Cell(json.member("total"), keys: groups.map { _ in nil })
        // Reports of earlier versions say 0 where nothing is recorded.
        included = json["included"].map {
            json.hasUnrecordedTotal ? [] : Self.counts(in: $0, under: "")
        }
        leftOut = Self.counts(in: try json.member("left_out"), under: "")
    }

    /// All counts in an object and those within it; null is what the metric leaves nothing out for.
    private static func counts(in json: JSON, under prefix: String)
        -> [(name: String, count: ReportContent.Value)]
    {
        (json.asObject?.members ?? []).flatMap {
            member -> [(name: String, count: ReportContent.Value)] in
            switch member.value {
            case .object: counts(in: member.value, under: prefix + member.name + ".")
            case .null: []
            default: [(prefix + member.name, ReportContent.Value(member.value))]
            }
        }
    }
}

extension JSON {
    /// Whether it is a period's part of an answer, in which nothing is recorded.
    var hasUnrecordedTotal: Bool {
        guard let values = self["total"]?["values"]?.asObject?.members.map(\.value) else {
            return false
        }
        let told = values.filter { $0 != .null }
        return !told.isEmpty
            && told.allSatisfy { $0.asString == RecordingState.notRecorded.rawValue }
    }
}

extension ReportContent.Cell {
    fileprivate init(_ json: JSON, keys: [String?]) throws(Damage) {
        self.keys = keys
        values = Self.values(in: try json.member("values"))
        knownPart = json["known_part"].map { Self.values(in: $0) } ?? [:]
    }

    private static func values(in json: JSON) -> [String: ReportContent.Value] {
        var values: [String: ReportContent.Value] = [:]
        for member in json.asObject?.members ?? [] {
            values[member.name] = ReportContent.Value(member.value)
        }
        return values
    }
}

extension ReportContent.Value {
    init(_ json: JSON) {
        switch json {
        case .integer(let number): self = .whole(number)
        // The canonical form writes a whole number without fraction.
        case .number(let number):
            self = Int64(exactly: number).map { .whole($0) } ?? .fraction(number)
        case .string(let state): self = .state(state)
        case .null, .bool, .array, .object: self = .none
        }
    }

    var json: JSON {
        switch self {
        case .whole(let number): .integer(number)
        case .fraction(let number): .number(number)
        case .state(let state): .string(state)
        case .none: .null
        }
    }
}

extension ReportContent.Definition {
    fileprivate init(_ json: JSON) throws(Damage) {
        metric = try json.text("metric")
        version = try json.integer("version")
        title = try json.member("title").text("de")
        counts = try json.member("counts").text("de")
        clock = try json.member("clock").text("de")
        recorded = try json.member("recorded").text("de")
        measures = try json.items("measures").compactMap(\.asString)
    }
}

extension ReportContent.Predecessor {
    fileprivate init(_ json: JSON) throws(Damage) {
        reference = try json.text("reference")
        stand = json.textIfPresent("stand")
        report = json.textIfPresent("report")
        pairs = try json.items("figures").map { (item) throws(Damage) in
            let earlier = try item.member("earlier")
            var period: (localFrom: String, localTo: String)?
            if let from = earlier.textIfPresent("local_from"),
                let to = earlier.textIfPresent("local_to")
            {
                period = (from, to)
            }
            return ReportContent.Pair(
                question: try item.integer("question"), figure: try item.integer("figure"),
                group: (try item.member("group").asObject?.members ?? []).map {
                    ($0.name, $0.value.asString)
                },
                measure: try item.text("measure"),
                earlier: ReportContent.Value(try earlier.member("value")), earlierPeriod: period,
                now: ReportContent.Value(try item.member("value")))
        }
    }
}

extension ReportContent.Words {
    fileprivate init(_ json: JSON) throws(Damage) {
        func words(_ json: JSON) throws(Damage) -> [String: String] {
            Dictionary(try json.texts().map { ($0.name, $0.value) }) { first, _ in first }
        }
        dimensions = try words(json.member("dimensions"))
        measures = try words(json.member("measures"))
        instants = try words(json.member("instants"))
        values = [:]
        for member in try json.member("values").asObject?.members ?? [] {
            values[member.name] = try words(member.value)
        }
    }
}

extension JSON {
    fileprivate func member(_ name: String) throws(Damage) -> JSON {
        guard let value = self[name] else { throw Damage() }
        return value
    }

    fileprivate func text(_ name: String) throws(Damage) -> String {
        guard let text = self[name]?.asString else { throw Damage() }
        return text
    }

    fileprivate func textIfPresent(_ name: String) -> String? { self[name]?.asString }

    fileprivate func integer(_ name: String) throws(Damage) -> Int64 {
        guard let number = self[name]?.asInteger else { throw Damage() }
        return number
    }

    fileprivate func items(_ name: String) throws(Damage) -> [JSON] {
        guard let items = self[name]?.asArray else { throw Damage() }
        return items
    }

    /// The members of an object of texts.
    fileprivate func texts() throws(Damage) -> [(name: String, value: String)] {
        guard let object = asObject else { throw Damage() }
        var texts: [(name: String, value: String)] = []
        for member in object.members {
            guard let text = member.value.asString else { throw Damage() }
            texts.append((member.name, text))
        }
        return texts
    }
}
