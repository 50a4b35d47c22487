import ControlCentre
import PostgreSQL

/// The detections of one transaction, from what was sent to what is to be written.
///
/// Two flushes carry it: the first locks the correlation rows and reads what bears on the
/// decision; then `Correlator` decides; the second writes all and commits.
struct Group {
    /// A detection that is not refused, with what it names resolved.
    struct Resolved {
        let index: Int
        let camera: CameraDirectory.Camera
        let key: CorrelationKey
        let model: String
    }

    /// One correlation key with its detections that may be new.
    private struct Part {
        let key: CorrelationKey
        let area: AreaID
        /// Of the rule in force for its pattern.
        let correlator: Correlator
        var members: [Resolved] = []
    }

    private struct Identity: Hashable {
        let site: SiteID
        let id: DetectionID
        let occurredAt: Timestamp
    }

    private let items: ArraySlice<IncomingDetection>
    private let correlator: Correlator
    /// By place in `items`; nil until it is known.
    private var outcomes: [IngestOutcome?]
    /// Those that may have been stored before.
    private var resolved: [Resolved] = []
    /// Items that repeat an earlier item of the same group: place → that item's place.
    private var repeats: [(index: Int, of: Int)] = []
    /// Items that bear an earlier item's id and time with other content.
    private var rivals: [Int] = []
    private var parts: [Part] = []
    private var partOfKey: [CorrelationKey: Int] = [:]

    init(
        _ items: ArraySlice<IncomingDetection>, directory: CameraDirectory, correlator: Correlator
    ) {
        self.items = items
        self.correlator = correlator
        outcomes = Array(repeating: nil, count: items.count)
        var seen: [Identity: Int] = [:]
        for index in 0..<items.count {
            resolve(index, directory, &seen)
        }
        // In the order of their keys, so that no two groups wait for each other in a ring.
        parts.sort { Self.order($0.key) < Self.order($1.key) }
    }

    private func item(_ index: Int) -> IncomingDetection { items[items.startIndex + index] }

    private mutating func resolve(
        _ index: Int, _ directory: CameraDirectory, _ seen: inout [Identity: Int]
    ) {
        let item = item(index)
        let camera: CameraDirectory.Camera
        switch directory.find(Self.cameraName(of: item), at: item.occurredAt) {
        case .camera(let found): camera = found
        case .removed:
            outcomes[index] = .refused(.cameraRemoved)
            return
        case .unknown:
            outcomes[index] = .refused(.unknownCamera)
            return
        }
        guard let pattern = BehaviourPattern(rawValue: item.pattern),
            camera.permits(pattern, at: item.occurredAt)
        else {
            outcomes[index] = .refused(.patternNotPermitted)
            return
        }
        guard item.occurredAt - item.receivedAt <= correlator.rule.futureTolerance else {
            outcomes[index] = .refused(.inFuture)
            return
        }
        let model = item.model ?? directory.model(of: item.node) ?? ""
        let key = CorrelationKey(
            site: item.site, camera: camera.id, pattern: pattern,
            mode: camera.mode(at: item.occurredAt, sent: item.operatingMode),
            modelVersion: model)
        let member = Resolved(index: index, camera: camera, key: key, model: model)
        let identity = Identity(site: item.site, id: item.id, occurredAt: item.occurredAt)
        if let first = seen[identity] {
            let isSame =
                self.item(first).content == item.content
                && directory.id(Self.cameraName(of: self.item(first)), at: item.occurredAt)
                    == camera.id
            if isSame {
                repeats.append((index, first))
            } else {
                // The first may be the one that differs from what was stored before.
                rivals.append(index)
                resolved.append(member)
            }
            return
        }
        seen[identity] = index
        resolved.append(member)
        if let part = partOfKey[key] {
            parts[part].members.append(member)
        } else {
            partOfKey[key] = parts.count
            var rule = directory.rule(for: pattern, at: item.site) ?? correlator.rule
            rule.retention = camera.retention
            parts.append(
                Part(
                    key: key, area: camera.area, correlator: Correlator(rule: rule),
                    members: [member]))
        }
    }

    private static func cameraName(of item: IncomingDetection) -> CameraDirectory.CameraName {
        CameraDirectory.CameraName(site: item.site, name: item.camera)
    }

    private static func order(_ key: CorrelationKey) -> (String, UUID, String, String, String) {
        (
            key.site.description, key.camera.uuid, key.pattern.rawValue, key.mode.rawValue,
            key.modelVersion ?? ""
        )
    }

    /// True when every item is refused: there is nothing to ask the database.
    var isSettled: Bool { resolved.isEmpty }

    var keys: [CorrelationKey] { parts.map(\.key) }

    // MARK: First flush

    /// Where the results of `readStatements` stand.
    private enum Read {
        static let revision = 1
        static let existing = 5
        static let episodes = 6
        /// From here on, in this order: what retention has deleted, if an item is old enough; what
        /// evidence holds cover, if an item is past its retention period; and what waits for more
        /// of its kind, if a rule wants several detections.
        static let optional = 7
    }

    /// A detection younger than this on arrival cannot have been deleted: the shortest retention
    /// period is an hour, and clocks differ.
    private static let deletedAfter: Duration = .seconds(1_800)

    /// Asks for what retention has deleted; none when all is too young.
    private var deletedStatement: [Statement] {
        guard
            resolved.contains(where: {
                item($0.index).receivedAt - item($0.index).occurredAt >= Self.deletedAfter
            })
        else { return [] }
        return [
            Statement(
                """
                SELECT d.ordinal, d.alarm, d.counted_only,
                    d.content_hash = sha256(uuid_send(($4::uuid[])[d.ordinal])
                        || ($5::bytea[])[d.ordinal])
                FROM deleted_detections($1, $2, $3) d
                """, parameters: identityColumns)
        ]
    }

    /// Those that are too old for an alarm; what a hold covers of them is stored all the same.
    private var overdue: [Resolved] {
        resolved.filter {
            item($0.index).receivedAt - item($0.index).occurredAt > $0.camera.retention
        }
    }

    /// Asks which of `overdue` a running hold covers. No hold begins before this group has ended:
    /// whoever makes one waits for the groups under way.
    private func heldStatement(_ overdue: [Resolved]) -> [Statement] {
        guard !overdue.isEmpty else { return [] }
        return [
            Statement(
                """
                SELECT o.ordinal
                FROM unnest($1::uuid[], $2::text[], $3::timestamptz[]) WITH ORDINALITY
                    AS o (camera, pattern, occurred_at, ordinal)
                WHERE is_held(o.camera, o.pattern, o.occurred_at)
                """,
                .uuids(overdue.map { PostgreSQLUUID($0.camera.id.uuid) }),
                .texts(overdue.map(\.key.pattern.rawValue)),
                .timestamps(
                    microsecondsSinceUnixEpoch: overdue.map {
                        item($0.index).occurredAt.microsecondsSinceEpoch
                    }))
        ]
    }

    private var identityColumns: [Parameter] {
        [
            .texts(resolved.map { item($0.index).site.description }),
            .uuids(resolved.map { PostgreSQLUUID(item($0.index).id.uuid) }),
            .timestamps(
                microsecondsSinceUnixEpoch: resolved.map {
                    item($0.index).occurredAt.microsecondsSinceEpoch
                }),
            .uuids(resolved.map { PostgreSQLUUID($0.camera.id.uuid) }),
            .byteStrings(resolved.map { item($0.index).content }),
        ]
    }

    /// Begins the transaction, locks the keys, and reads duplicates and episodes.
    ///
    /// A duplicate is looked for only after the lock: whoever stored it held the same lock.
    func readStatements() -> [Statement] {
        let keyColumns = keyColumns
        var windows: (lower: [Int64?], upper: [Int64?]) = ([], [])
        for part in parts {
            let window = part.correlator.searchWindow(for: part.members.map { detection($0) })
            windows.lower.append(window?.lowerBound.microsecondsSinceEpoch)
            windows.upper.append(window?.upperBound.microsecondsSinceEpoch)
        }
        return [
            Database.begin,
            CameraDirectory.currentRevision,
            Database.nextChange,
            Statement(
                """
                INSERT INTO correlation (site, camera, pattern, operating_mode, model)
                SELECT * FROM unnest($1::text[], $2::uuid[], $3::text[], $4::text[], $5::text[])
                ON CONFLICT DO NOTHING
                """, parameters: keyColumns),
            Statement(
                """
                SELECT FROM correlation c
                JOIN unnest($1::text[], $2::uuid[], $3::text[], $4::text[], $5::text[])
                    AS k (site, camera, pattern, operating_mode, model)
                    USING (site, camera, pattern, operating_mode, model)
                ORDER BY c.site, c.camera, c.pattern, c.operating_mode, c.model
                FOR UPDATE OF c
                """, parameters: keyColumns),
            Statement(
                """
                SELECT i.ordinal,
                    coalesce(d.alarm, (SELECT p.alarm FROM preceding_detections p
                        WHERE p.site = d.site AND p.id = d.id AND p.occurred_at = d.occurred_at)),
                    d.counted_only,
                    d.content_hash = sha256(uuid_send(i.camera) || i.content)
                FROM unnest($1::text[], $2::uuid[], $3::timestamptz[], $4::uuid[], $5::bytea[])
                    WITH ORDINALITY AS i (site, id, occurred_at, camera, content, ordinal)
                JOIN detections d ON d.site = i.site AND d.id = i.id
                    AND d.occurred_at = i.occurred_at
                """, parameters: identityColumns),
            Statement(
                """
                SELECT k.ordinal, a.id, a.raised_at, a.started_at, a.last_detection_at,
                    a.cleared_at, a.detection_count, a.max_confidence, a.late, a.extended_at,
                    (extract(epoch FROM a.quiet) * 1000000)::bigint
                FROM unnest($1::text[], $2::uuid[], $3::text[], $4::text[], $5::text[],
                        $6::timestamptz[], $7::timestamptz[]) WITH ORDINALITY
                    AS k (site, camera, pattern, operating_mode, model, lower, upper, ordinal)
                CROSS JOIN LATERAL (
                    SELECT * FROM alarms near
                    WHERE near.camera = k.camera AND near.pattern = k.pattern
                        AND near.operating_mode = k.operating_mode AND near.model = k.model
                        -- Cleared no earlier than its last detection: this is what the index has.
                        AND near.cleared_at >= k.lower
                        AND near.last_detection_at >= k.lower AND near.started_at <= k.upper
                    -- Some are found twice, which is cheaper than to compare them here.
                    UNION ALL
                    (SELECT * FROM alarms latest
                    WHERE latest.camera = k.camera AND latest.pattern = k.pattern
                        AND latest.operating_mode = k.operating_mode AND latest.model = k.model
                    ORDER BY latest.started_at DESC LIMIT 1)
                    UNION ALL
                    SELECT * FROM alarms active
                    WHERE active.camera = k.camera AND active.pattern = k.pattern
                        AND active.operating_mode = k.operating_mode AND active.model = k.model
                        AND active.condition = 'active'
                ) a
                """,
                parameters: keyColumns + [
                    .timestamps(microsecondsSinceUnixEpoch: windows.lower),
                    .timestamps(microsecondsSinceUnixEpoch: windows.upper),
                ]),
        ] + deletedStatement + heldStatement(overdue) + waitingStatement
    }

    /// Reads what waits for more of its kind; nothing where no rule wants several.
    private var waitingStatement: [Statement] {
        let searched = parts.enumerated().compactMap { number, part in
            part.correlator.waitingWindow(for: part.members.map { detection($0) })
                .map { (number: Int64(number), part: part, window: $0) }
        }
        guard !searched.isEmpty else { return [] }
        return [
            Statement(
                """
                SELECT k.number, d.id, d.occurred_at, d.received_at, d.confidence
                FROM unnest($1::bigint[], $2::text[], $3::uuid[], $4::text[], $5::text[],
                        $6::text[], $7::float8[], $8::timestamptz[], $9::timestamptz[])
                    AS k (number, site, camera, pattern, operating_mode, model, confidence_min,
                        lower, upper)
                JOIN detections d ON d.camera = k.camera AND d.site = k.site
                    -- A node's clock may be ahead; its detection counts at its receipt.
                    AND d.occurred_at >= k.lower
                    AND d.occurred_at <= k.upper + $10 * interval '1 microsecond'
                    AND d.pattern = k.pattern AND d.operating_mode = k.operating_mode
                    AND (k.model = '' OR d.model = k.model)
                WHERE d.alarm IS NULL AND NOT d.counted_only AND d.confidence >= k.confidence_min
                    AND NOT EXISTS (
                        SELECT FROM preceding_detections p
                        WHERE p.site = d.site AND p.id = d.id AND p.occurred_at = d.occurred_at)
                """,
                .int64s(searched.map(\.number)),
                .texts(searched.map(\.part.key.site.description)),
                .uuids(searched.map { PostgreSQLUUID($0.part.key.camera.uuid) }),
                .texts(searched.map(\.part.key.pattern.rawValue)),
                .texts(searched.map(\.part.key.mode.rawValue)),
                .texts(searched.map { $0.part.key.modelVersion ?? "" }),
                .doubles(searched.map(\.part.correlator.rule.confidenceMin)),
                .timestamps(
                    microsecondsSinceUnixEpoch: searched.map(
                        \.window.lowerBound.microsecondsSinceEpoch)),
                .timestamps(
                    microsecondsSinceUnixEpoch: searched.map(
                        \.window.upperBound.microsecondsSinceEpoch)),
                .int64(correlator.rule.futureTolerance.microseconds))
        ]
    }

    private var keyColumns: [Parameter] {
        [
            .texts(parts.map(\.key.site.description)),
            .uuids(parts.map { PostgreSQLUUID($0.key.camera.uuid) }),
            .texts(parts.map(\.key.pattern.rawValue)),
            .texts(parts.map(\.key.mode.rawValue)),
            .texts(parts.map { $0.key.modelVersion ?? "" }),
        ]
    }

    private func detection(_ member: Resolved) -> CorrelatedDetection {
        let item = item(member.index)
        return CorrelatedDetection(
            id: item.id, occurredAt: item.occurredAt, receivedAt: item.receivedAt,
            confidence: item.confidence)
    }

    /// The revision of the configuration as this transaction sees it.
    static func revision(_ results: [QueryResult]) throws(PostgreSQLError) -> Int64 {
        try results[Read.revision].int64(0, 0)
    }

    // MARK: Deciding

    /// Decides from what the first flush read, and returns what the second must write before
    /// COMMIT; nil when nothing is new.
    mutating func decide(_ results: [QueryResult], at now: Timestamp) throws(PostgreSQLError)
        -> [Statement]?
    {
        try settleDuplicates(results[Read.existing])
        var optional = results.startIndex + Read.optional
        if !deletedStatement.isEmpty {
            try settleDuplicates(results[optional])
            optional += 1
        }
        let overdue = overdue
        var held: Set<Int> = []
        if !overdue.isEmpty {
            held = try Self.held(results[optional], of: overdue)
            optional += 1
        }
        let episodes = try Self.episodes(results[Read.episodes])
        let waiting =
            results.count > optional ? try Self.waiting(results[optional]) : [:]
        var writes = Writes(now: now)
        for (number, part) in parts.enumerated() {
            let members = part.members.filter { outcomes[$0.index] == nil }
            guard !members.isEmpty else { continue }
            let known = episodes[number] ?? [:]
            let decision = part.correlator.decide(
                detections: members.map { detection($0) }, waiting: waiting[number] ?? [],
                episodes: known.values.map(\.episode),
                makeID: { AlarmID.make(at: now) })
            for (member, outcome) in zip(members, decision.outcomes) {
                let stored = Self.outcome(outcome, isHeld: held.contains(member.index))
                outcomes[member.index] = stored
                writes.add(item(member.index), member, stored, under: part.correlator.rule)
            }
            for change in decision.changes {
                writes.add(
                    change, of: part.key, area: part.area, under: part.correlator.rule,
                    raising: change.before == nil
                        ? raising(change.after, members, decision) : nil,
                    journaledAt: known[change.after.id]?.extendedAt)
            }
        }
        return writes.statements
    }

    /// What is past its retention period is counted and no more, but for what a hold covers: that is
    /// stored as it is, without an alarm.
    private static func outcome(_ decided: DetectionOutcome, isHeld: Bool) -> IngestOutcome {
        switch decided {
        case .countedOnly: isHeld ? .created(nil) : .countedOnly
        case .belowThreshold, .waiting: .created(nil)
        case .joined(let alarm): .created(alarm)
        }
    }

    private static func held(_ rows: QueryResult, of overdue: [Resolved])
        throws(PostgreSQLError) -> Set<Int>
    {
        var held: Set<Int> = []
        for row in 0..<rows.rowCount {
            held.insert(overdue[Int(try rows.int64(row, 0)) - 1].index)
        }
        return held
    }

    /// The detection that raised the episode, of several at once the first that reached us; nil
    /// when it is not of this group.
    private func raising(
        _ episode: Episode, _ members: [Resolved], _ decision: CorrelationDecision
    ) -> Writes.Raising? {
        zip(members, decision.outcomes)
            .filter { member, outcome in
                outcome == .joined(episode.id)
                    && detection(member).effectiveAt == episode.raisedAt
            }
            .map { member, _ in
                Writes.Raising(
                    receivedAt: item(member.index).receivedAt,
                    model: member.model.isEmpty ? nil : member.model)
            }
            .min { $0.receivedAt < $1.receivedAt }
    }

    private mutating func settleDuplicates(_ existing: QueryResult) throws(PostgreSQLError) {
        for row in 0..<existing.rowCount {
            let member = resolved[Int(try existing.int64(row, 0)) - 1]
            guard try existing.bool(row, 3) else {
                outcomes[member.index] = .refused(.idReused)
                continue
            }
            outcomes[member.index] = .duplicate(try existing.idIfPresent(row, 1))
        }
    }

    private mutating func settleRepeats() {
        for (index, first) in repeats {
            switch outcomes[first] {
            case .created(let alarm): outcomes[index] = .duplicate(alarm)
            case .countedOnly: outcomes[index] = .duplicate(nil)
            case let other: outcomes[index] = other
            }
        }
    }

    /// The waiting detections read, by the place of their key.
    private static func waiting(_ rows: QueryResult) throws(PostgreSQLError)
        -> [Int: [CorrelatedDetection]]
    {
        var waiting: [Int: [CorrelatedDetection]] = [:]
        for row in 0..<rows.rowCount {
            waiting[Int(try rows.int64(row, 0)), default: []].append(
                CorrelatedDetection(
                    id: try rows.id(row, 1), occurredAt: try rows.time(row, 2),
                    receivedAt: try rows.time(row, 3), confidence: try rows.double(row, 4)))
        }
        return waiting
    }

    private struct KnownEpisode {
        let episode: Episode
        let extendedAt: Timestamp
    }

    /// The episodes read, by the place of their key.
    private static func episodes(_ rows: QueryResult) throws(PostgreSQLError)
        -> [Int: [AlarmID: KnownEpisode]]
    {
        var episodes: [Int: [AlarmID: KnownEpisode]] = [:]
        for row in 0..<rows.rowCount {
            let id: AlarmID = try rows.id(row, 1)
            let episode = Episode(
                id: id, raisedAt: try rows.time(row, 2), start: try rows.time(row, 3),
                last: try rows.time(row, 4), clearedAt: try rows.timeIfPresent(row, 5),
                detectionCount: Int(try rows.int64(row, 6)),
                maxConfidence: try rows.double(row, 7), late: try rows.bool(row, 8),
                quiet: .microseconds(try rows.int64(row, 10)))
            episodes[Int(try rows.int64(row, 0)) - 1, default: [:]][id] = KnownEpisode(
                episode: episode, extendedAt: try rows.time(row, 9))
        }
        return episodes
    }

    /// What became of each item, once the group is committed or needs no commit.
    mutating func finish() -> [IngestOutcome] {
        settleRepeats()
        for index in rivals where outcomes[index] == nil { outcomes[index] = .refused(.idReused) }
        return outcomes.map { outcome in
            guard let outcome else { preconditionFailure("a detection was left undecided") }
            return outcome
        }
    }
}
