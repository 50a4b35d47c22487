import ControlCentre
import PostgreSQL

// How the domain's values become parameters and come back from rows.

extension Parameter {
    static func uuid(_ id: some UUIDIdentifier) -> Parameter { .uuid(PostgreSQLUUID(id.uuid)) }

    static func optional(_ id: (some UUIDIdentifier)?) -> Parameter {
        .uuid(id.map { PostgreSQLUUID($0.uuid) })
    }

    static func time(_ instant: Timestamp?) -> Parameter {
        .timestamp(microsecondsSinceUnixEpoch: instant?.microsecondsSinceEpoch)
    }

    static func times(_ instants: [Timestamp?]) -> Parameter {
        .timestamps(microsecondsSinceUnixEpoch: instants.map { $0?.microsecondsSinceEpoch })
    }

    /// A number that the API bounds well within 32 bits.
    static func integer(_ number: Int) -> Parameter { .int32(Int32(number)) }

    static func text(_ site: SiteID) -> Parameter { .text(site.description) }
}

extension Parameter {
    /// A schedule as `schedule_covers` and `schedule_intervals` read it. No name or time in it
    /// needs escaping.
    static func schedule(_ schedule: WeeklySchedule?) -> Parameter {
        .json(schedule.map { Array($0.json.utf8) })
    }
}

extension WeeklySchedule {
    var json: String {
        let hours = hours.map { hours in
            let days = hours.days.map { "\"\($0.rawValue)\"" }.joined(separator: ",")
            return #"{"days":[\#(days)],"from":"\#(hours.from)","to":"\#(hours.to)"}"#
        }
        return "[\(hours.joined(separator: ","))]"
    }
}

extension PostgreSQLUUID {
    init(_ uuid: UUID) { self.init(high: uuid.high, low: uuid.low) }
}

extension QueryResult {
    func id<ID: UUIDIdentifier>(_ row: Int, _ column: Int) throws(PostgreSQLError) -> ID {
        let uuid = try uuid(row, column)
        return ID(UUID(high: uuid.high, low: uuid.low))
    }

    func idIfPresent<ID: UUIDIdentifier>(_ row: Int, _ column: Int) throws(PostgreSQLError) -> ID? {
        isNull(row, column) ? nil : try id(row, column)
    }

    func time(_ row: Int, _ column: Int) throws(PostgreSQLError) -> Timestamp {
        let microseconds = try timestampMicroseconds(row, column)
        guard let time = Timestamp(microsecondsSinceEpoch: microseconds) else {
            throw .unexpectedValue("a time outside the years 1 to 9999")
        }
        return time
    }

    func timeIfPresent(_ row: Int, _ column: Int) throws(PostgreSQLError) -> Timestamp? {
        isNull(row, column) ? nil : try time(row, column)
    }

    /// A value of a closed list that the database keeps as text.
    func value<Value: RawRepresentable<String>>(
        _ row: Int, _ column: Int, _: Value.Type = Value.self
    )
        throws(PostgreSQLError) -> Value
    {
        let text = try text(row, column)
        guard let value = Value(rawValue: text) else {
            throw .unexpectedValue("\(text) is no \(Value.self)")
        }
        return value
    }

    func site(_ row: Int, _ column: Int) throws(PostgreSQLError) -> SiteID {
        let text = try text(row, column)
        guard let site = SiteID(text) else { throw .unexpectedValue("\(text) is no site's id") }
        return site
    }
}
