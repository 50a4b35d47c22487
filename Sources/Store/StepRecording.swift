import ControlCentre
import PostgreSQL

extension StepDecision {
    /// A step's own row, those of the shelvings that it ends and begins, and the alarm's ringing.
    private static let rowsMax: Int32 = 4

    /// Appends the statements that record a step which changed an alarm.
    mutating func record(
        _ step: AlarmStep, on id: AlarmID, at site: SiteID, from before: AlarmHandling,
        to after: AlarmHandling
    ) {
        let remark = step.note.map { JournalEntry.Remark(id: .v7(at: instant), text: $0) }
        statements.append(update(id, at: site, from: before, to: after))
        statements += JournalEntry(
            event: step.event, site: site, subject: id.description, occurredAt: instant,
            author: author, reason: step.reason?.rawValue, remark: remark
        ).statements(
            ordinal: nextOrdinal, document: "alarm_document(t)", from: "alarms t WHERE t.id = $1",
            [.uuid(id)])
        if before.judgement != after.judgement, let judgement = after.judgement {
            statements.append(append(judgement, to: id, at: site, remark))
        }
        if let ended = before.ownShelving, ended != after.ownShelving {
            statements += NewShelving.end(
                ended.id, of: site, by: author, at: instant, ordinal: nextOrdinal + 1)
        }
        if let begun = after.ownShelving, begun != before.ownShelving, let remark {
            statements += NewShelving(
                id: begun.id, site: site, scope: .alarm(id), reason: remark.id, until: begun.until
            ).statements(by: author, at: instant, ordinal: nextOrdinal + 2)
        }
        if let annunciation = after.annunciation(after: before) {
            statements.append(annunciate(id, annunciation))
        }
        nextOrdinal += Self.rowsMax
    }

    private func update(
        _ id: AlarmID, at site: SiteID, from before: AlarmHandling, to after: AlarmHandling
    ) -> Statement {
        var handling = HandlingName.new
        var acknowledged: (by: TokenID?, at: Timestamp?) = (nil, nil)
        var closed: (by: TokenID?, at: Timestamp?) = (nil, nil)
        switch after.handling {
        case .new: break
        case .acknowledged(let holder, let since):
            handling = .acknowledged
            acknowledged = (TokenID(holder.description), since)
        case .closed(let observer, let since):
            handling = .closed
            closed = (TokenID(observer.description), since)
        }
        var verdict = VerdictName.none
        var reason: DismissalReason?
        switch after.judgement?.verdict {
        case nil: break
        case .confirmed: verdict = .confirmed
        case .dismissed(let why):
            verdict = .dismissed
            reason = why
        }
        func token(_ actor: ActorID?) -> Parameter {
            .optional(actor.flatMap { TokenID($0.description) })
        }
        // An alarm under a shelving that has just ended is about to be released from it, which no
        // other step may take for done.
        let movesShelving = before.shelving != after.shelving || handling == .closed
        return Statement(
            """
            UPDATE alarms SET handling = $3, acknowledged_by = $4, acknowledged_at = $5,
                closed_by = $6, closed_at = $7, verdict = $8, dismissal_reason = $9,
                judged_by = $10, judged_at = $11, taken_over_from = $12, position = $13,
                assigned_by = $14, assigned_at = $15,
                shelving = CASE WHEN $16 THEN $17 ELSE shelving END,
                shelved_until = CASE WHEN $16 THEN $18 ELSE shelved_until END,
                overdue_at = CASE WHEN $16 AND $17 IS NOT NULL THEN NULL ELSE overdue_at END
            WHERE site = $1 AND id = $2
            """,
            .text(site), .uuid(id), .text(handling.rawValue), .optional(acknowledged.by),
            .time(acknowledged.at), .optional(closed.by), .time(closed.at),
            .text(verdict.rawValue), .text(reason?.rawValue), token(after.judgement?.by),
            .time(after.judgement?.at), token(after.takenOverFrom),
            .text(after.assignment?.position), token(after.assignment?.by),
            .time(after.assignment?.at), .bool(movesShelving), .optional(after.shelving?.id),
            .time(after.shelving?.until))
    }

    private func append(
        _ judgement: Judgement, to id: AlarmID, at site: SiteID, _ remark: JournalEntry.Remark?
    ) -> Statement {
        var reason: DismissalReason?
        if case .dismissed(let why) = judgement.verdict { reason = why }
        return Statement(
            """
            INSERT INTO verdicts (site, alarm, ordinal, verdict, dismissal_reason, remark,
                judged_by, judged_at, change)
            SELECT $1, $2, coalesce(max(v.ordinal), 0) + 1, $3, $4, $5, $6, $7,
                currval('changes')
            FROM verdicts v WHERE v.site = $1 AND v.alarm = $2
            """,
            .text(site), .uuid(id),
            .text((reason == nil ? VerdictName.confirmed : .dismissed).rawValue),
            .text(reason?.rawValue), .uuid(remark.map { PostgreSQLUUID($0.id) }),
            .uuid(author.token), .time(judgement.at))
    }

    private func annunciate(_ id: AlarmID, _ annunciation: Annunciation) -> Statement {
        Statement(
            """
            SELECT annunciate_alarms(
                currval('changes'), $1,
                ARRAY(SELECT a.id FROM alarms a WHERE a.id = $2
                    AND ($3 OR a.annunciated_at IS NULL)), $4, $5, $6, $7)
            """,
            .int32(nextOrdinal + 3), .uuid(id), .bool(annunciation == .anew), .time(instant),
            .uuid(author.token), .text(author.role.rawValue), .text(author.requestID))
    }
}

extension AlarmStep {
    /// What the journal and the live stream call it.
    var event: String {
        switch self {
        case .acknowledge: "alarm.acknowledged"
        case .release: "alarm.released"
        case .takeOver: "alarm.taken-over"
        case .assign: "alarm.assigned"
        case .confirm: "alarm.confirmed"
        case .dismiss: "alarm.dismissed"
        case .comment: "alarm.commented"
        case .shelve: "alarm.shelved"
        case .unshelve: "alarm.unshelved"
        case .close: "alarm.closed"
        case .reopen: "alarm.reopened"
        }
    }

    fileprivate var reason: DismissalReason? {
        if case .dismiss(let reason, _) = self { reason } else { nil }
    }
}
