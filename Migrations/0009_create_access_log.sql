-- Who read what and why, when that is deleted again, and how what a person wrote or is called is
-- erased from a record that otherwise never changes.

-- A stretch of work for which a person gives one reason for all that they read in it.
CREATE TABLE shifts (
    site text NOT NULL REFERENCES sites,
    id uuid NOT NULL UNIQUE,
    actor uuid NOT NULL,
    position text,
    -- The reason, which a person wrote.
    remark uuid NOT NULL REFERENCES remarks (id),
    started_at timestamptz NOT NULL,
    -- It ends then by itself.
    until timestamptz NOT NULL,
    ended_at timestamptz,
    PRIMARY KEY (site, id),
    CHECK (until > started_at),
    CHECK (ended_at >= started_at)
);
GRANT SELECT, INSERT ON shifts TO leitstand;
GRANT UPDATE (ended_at) ON shifts TO leitstand;
CREATE INDEX shifts_by_age ON shifts (site, started_at, id);
CREATE UNIQUE INDEX shifts_one_running ON shifts (actor) WHERE ended_at IS NULL;

-- The reason is joined by the reader, not kept here: the journal keeps this document.
CREATE FUNCTION shift_document(shift shifts) RETURNS json
LANGUAGE sql STABLE
RETURN json_build_object(
    'id', shift.id,
    'site', shift.site,
    'token', shift.actor,
    'position', shift.position,
    'started_at', rfc3339(shift.started_at),
    'until', rfc3339(shift.until),
    'ended_at', rfc3339(shift.ended_at));

-- One row per reading of a single alarm, incident, intervention, hold or live address, of a handover,
-- and of figures. It is not part of the journal: it changes nothing, and the site sets after how
-- many days it is deleted.
CREATE TABLE accesses (
    site text NOT NULL REFERENCES sites,
    id uuid NOT NULL,
    accessed_at timestamptz NOT NULL,
    action text NOT NULL,
    subject text NOT NULL,
    -- The single things that a reading of something else showed too.
    shown uuid[] NOT NULL DEFAULT '{}',
    actor uuid NOT NULL,
    role text NOT NULL,
    -- Given with this one request; a person wrote it.
    reason text,
    -- Or given for the whole shift.
    shift uuid,
    request_id text NOT NULL,
    PRIMARY KEY (site, id),
    FOREIGN KEY (site, shift) REFERENCES shifts (site, id)
);
GRANT SELECT, INSERT ON accesses TO leitstand;
CREATE INDEX accesses_by_age ON accesses (site, accessed_at, id);
-- Of all sites.
CREATE INDEX accesses_by_time ON accesses (accessed_at, id);
CREATE INDEX accesses_by_subject ON accesses (subject, accessed_at, id);
CREATE INDEX accesses_by_actor ON accesses (actor, accessed_at, id);
-- Nearly all that is read are alarms, by observers: lists of those find enough by their age.
CREATE INDEX accesses_by_action ON accesses (action, accessed_at, id)
    WHERE action <> 'alarm.read';
CREATE INDEX accesses_by_role ON accesses (role, accessed_at, id) WHERE role <> 'observer';
-- Few show other things than their subject.
CREATE INDEX accesses_showing ON accesses (accessed_at, id) WHERE shown <> '{}';

CREATE FUNCTION access_document(access accesses) RETURNS json
LANGUAGE sql STABLE
RETURN json_build_object(
    'id', access.id,
    'site', access.site,
    'accessed_at', rfc3339(access.accessed_at),
    'action', access.action,
    'subject', access.subject,
    'shown', to_json(access.shown),
    'actor', json_build_object(
        'token', access.actor,
        'name', (SELECT name FROM tokens WHERE tokens.id = access.actor),
        'role', access.role),
    'reason', coalesce(
        access.reason,
        (SELECT r.text FROM shifts s JOIN remarks r ON r.id = s.remark
            WHERE s.site = access.site AND s.id = access.shift)),
    'shift', access.shift,
    'request_id', access.request_id);

-- Records that somebody reads something, or refuses because the site wants a reason and has none:
-- then it returns the rule (`request` or `shift`) that was not kept, otherwise NULL.
CREATE FUNCTION log_access(
    site text, id uuid, action text, subject text, shown uuid[], actor uuid, role text,
    reason text, request_id text, accessed_at timestamptz
) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
    rule text;
    running uuid;
BEGIN
    SELECT s.access_reason INTO rule FROM sites s WHERE s.id = log_access.site;
    IF rule = 'shift' AND reason IS NULL THEN
        SELECT s.id INTO running FROM shifts s
        WHERE s.site = log_access.site AND s.actor = log_access.actor AND s.ended_at IS NULL
            AND s.until > log_access.accessed_at;
    END IF;
    IF rule <> 'none' AND reason IS NULL AND running IS NULL THEN
        RETURN rule;
    END IF;
    INSERT INTO accesses
    VALUES (site, id, accessed_at, action, subject, shown, actor, role, reason, running,
        request_id);
    RETURN NULL;
END
$$;

-- Deletes what is older than each site keeps its accesses, and journals how many. The runtime role
-- may delete none, so this runs with the owner's rights. Returns how many were deleted.
CREATE FUNCTION expire_accesses() RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
<<expiring>>
DECLARE
    change bigint;
    expired record;
    ordinal integer := 0;
    total bigint := 0;
BEGIN
    -- One instance does it for all.
    IF NOT pg_try_advisory_xact_lock(7236009) THEN
        RETURN 0;
    END IF;
    FOR expired IN
        WITH gone AS (
            DELETE FROM accesses a USING sites s
            WHERE s.id = a.site
                AND a.accessed_at < clock_timestamp() - make_interval(days => s.access_log_days)
            RETURNING a.site, a.accessed_at)
        SELECT site, count(*) AS count, max(accessed_at) AS last FROM gone GROUP BY site
        ORDER BY site
    LOOP
        IF change IS NULL THEN
            change := nextval('changes');
        END IF;
        ordinal := ordinal + 1;
        total := total + expired.count;
        INSERT INTO journal (change, ordinal, event, site, subject, occurred_at, document)
        VALUES (expiring.change, expiring.ordinal, 'access-log.expired', expired.site,
            expired.site, clock_timestamp(),
            json_build_object(
                'site', expired.site, 'count', expired.count, 'last', rfc3339(expired.last)));
    END LOOP;
    IF total > 0 THEN
        PERFORM append_position(change);
    END IF;
    RETURN total;
END
$$;

-- The texts that a document refers to, by the members that show them.
CREATE FUNCTION remarks_in(document json) RETURNS TABLE (member text, remark uuid)
LANGUAGE sql IMMUTABLE
BEGIN ATOMIC
    SELECT m.key, (m.value ->> 'remark')::uuid FROM jsonb_each(document::jsonb) m
    WHERE jsonb_typeof(m.value) = 'object' AND m.value ? 'remark';
END;

-- What is erased is NULL from then on: without its salt, the hash in the journal says nothing about
-- the text any more.
ALTER TABLE remarks ALTER text DROP NOT NULL, ALTER salt DROP NOT NULL;
ALTER TABLE tokens ALTER name DROP NOT NULL;

-- Erases what persons wrote about one subject (`remarks`), one text (`remark`), or a token's name
-- (`staff`), within a site unless that is NULL. It runs with the owner's rights, as the runtime role
-- may change no recorded text; and it journals that by itself, as a change of its own, so that
-- nobody erases anything without a trace. Returns the erasure, which tells how many texts are gone
-- that were there before; NULL when there is nothing of that id.
CREATE FUNCTION erase(
    kind text, id uuid, site text, erasure uuid, remark uuid, reason text, actor uuid, role text,
    request_id text, erased_at timestamptz
) RETURNS json
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
<<erasing>>
DECLARE
    erased bigint := 0;
    more bigint;
    why CONSTANT remarks := ROW(remark, site, uuid_send(gen_random_uuid()), reason);
    change bigint;
    document json;
BEGIN
    CASE kind
    WHEN 'remark' THEN
        PERFORM FROM remarks r
        WHERE r.id = erase.id AND (erase.site IS NULL OR r.site = erase.site);
        IF NOT FOUND THEN
            RETURN NULL;
        END IF;
        UPDATE remarks r SET text = NULL, salt = NULL
        WHERE r.id = erase.id AND r.text IS NOT NULL;
        GET DIAGNOSTICS erased = ROW_COUNT;
    WHEN 'remarks' THEN
        PERFORM FROM journal j
        WHERE j.subject = erase.id::text AND (erase.site IS NULL OR j.site = erase.site)
        LIMIT 1;
        IF NOT FOUND THEN
            RETURN NULL;
        END IF;
        UPDATE remarks r SET text = NULL, salt = NULL
        WHERE r.text IS NOT NULL AND (erase.site IS NULL OR r.site = erase.site) AND r.id IN (
            SELECT j.remark FROM journal j WHERE j.subject = erase.id::text
            -- Also what stood in a document once and has been replaced since.
            UNION SELECT m.remark FROM journal j CROSS JOIN LATERAL remarks_in(j.document) m
            WHERE j.subject = erase.id::text);
        GET DIAGNOSTICS erased = ROW_COUNT;
        UPDATE accesses a SET reason = NULL
        WHERE a.subject = erase.id::text AND (erase.site IS NULL OR a.site = erase.site)
            AND a.reason IS NOT NULL;
        GET DIAGNOSTICS more = ROW_COUNT;
        erased := erased + more;
    WHEN 'staff' THEN
        PERFORM FROM tokens t
        WHERE t.id = erase.id AND (erase.site IS NULL OR t.site = erase.site);
        IF NOT FOUND THEN
            RETURN NULL;
        END IF;
        UPDATE tokens t SET name = NULL WHERE t.id = erase.id AND t.name IS NOT NULL;
        GET DIAGNOSTICS erased = ROW_COUNT;
    END CASE;

    change := nextval('changes');
    document := json_build_object(
        'kind', erase.kind, 'id', erase.id, 'erased', erased, 'erased_at', rfc3339(erased_at));
    INSERT INTO remarks SELECT why.*;
    -- A subject of its own: the history of what was erased tells of that alone.
    INSERT INTO journal (change, ordinal, event, site, subject, occurred_at, actor, role, remark,
        remark_hash, request_id, document)
    VALUES (erasing.change, 1, 'erasure.completed', erase.site, erasure, erased_at, erase.actor,
        erase.role, why.id, sha256(why.salt || convert_to(why.text, 'UTF8')), erase.request_id,
        erasing.document);
    PERFORM append_position(change);
    RETURN document;
END
$$;

-- What whoever takes over a shift must know of a site: how many there are of each, and the newest.
-- One statement, so that all its parts are of one instant.
CREATE FUNCTION handover_part(documents json[], items_max integer) RETURNS json
LANGUAGE sql IMMUTABLE
RETURN json_build_object(
    'count', cardinality(documents),
    'items', array_to_json(documents[1:items_max]));

-- What a site's observers still have to finish: alarms of production that are neither closed nor
-- put aside, and did not come late; all of them, or those alone that nobody has had in time and
-- nobody has (or the others). The planner takes this apart where it is called, so that the
-- indexes of open and of overdue alarms serve it.
CREATE FUNCTION unfinished_alarms(site text, is_overdue boolean) RETURNS SETOF alarms
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT a.* FROM alarms a
    WHERE a.site = unfinished_alarms.site AND a.handling <> 'closed' AND a.shelving IS NULL
        AND a.operating_mode = 'production' AND NOT a.late
        AND (unfinished_alarms.is_overdue IS NULL
            OR (a.overdue AND a.handling = 'new') = unfinished_alarms.is_overdue);
END;

CREATE FUNCTION handover(site text, at timestamptz, review_within interval, items_max integer)
RETURNS json
LANGUAGE sql STABLE
RETURN json_build_object(
    'site', handover.site,
    'at', rfc3339(at),
    'open', json_build_object(
        'count', (SELECT count(*) FROM unfinished_alarms(handover.site, NULL)),
        'items', array_to_json(ARRAY(
            SELECT with_staff_names(alarm_document(a))
            FROM unfinished_alarms(handover.site, NULL) a
            ORDER BY a.raised_at DESC, a.id DESC LIMIT items_max))),
    'overdue', json_build_object(
        'count', (SELECT count(*) FROM unfinished_alarms(handover.site, true)),
        'items', array_to_json(ARRAY(
            SELECT with_staff_names(alarm_document(a))
            FROM unfinished_alarms(handover.site, true) a
            ORDER BY a.raised_at DESC, a.id DESC LIMIT items_max))),
    'shelved', handover_part(ARRAY(
        SELECT with_remarks(with_staff_names(shelving_document(s))) FROM shelvings s
        WHERE s.site = handover.site AND s.ended_at IS NULL AND s.until > at
        ORDER BY s.until, s.id), items_max),
    'floods', handover_part(ARRAY(
        SELECT flood_document(f) FROM floods f
        WHERE f.site = handover.site AND f.ended_at IS NULL
        ORDER BY f.started_at DESC, f.position), items_max),
    'blind', handover_part(ARRAY(
        SELECT json_build_object(
            'camera', b.camera, 'patterns', json_agg(b.pattern ORDER BY b.pattern),
            'since', rfc3339(min(b.starts_at)))
        FROM analysis_intervals b
        JOIN nodes n ON n.site = b.site AND n.id = b.node AND NOT n.lost
        WHERE b.site = handover.site AND b.ends_at IS NULL AND b.status = 'blind'
            AND NOT EXISTS (
                SELECT FROM analysis_intervals other
                JOIN nodes m ON m.site = other.site AND m.id = other.node AND NOT m.lost
                WHERE other.site = b.site AND other.camera = b.camera
                    AND other.pattern = b.pattern AND other.ends_at IS NULL
                    AND other.status = 'analysing')
        GROUP BY b.camera
        ORDER BY min(b.starts_at), b.camera), items_max),
    'lost_nodes', handover_part(ARRAY(
        SELECT node_document(n) FROM nodes n WHERE n.site = handover.site AND n.lost
        ORDER BY n.last_heartbeat_at, n.id), items_max),
    'interruptions', handover_part(ARRAY(
        SELECT interruption_document(i) FROM interruptions i
        WHERE i.site = handover.site AND i.starts_at <= at
            AND (i.ends_at IS NULL OR i.ends_at > at)
        ORDER BY i.starts_at, i.id), items_max),
    'holds_due', handover_part(ARRAY(
        SELECT with_remarks(with_staff_names(evidence_hold_document(h))) FROM evidence_holds h
        WHERE h.site = handover.site AND h.released_at IS NULL
            AND h.review_at < at + review_within
        ORDER BY h.review_at, h.id), items_max));

-- The audit's lists. What the server does by itself is by far the most; a person's changes are
-- found without reading it.
CREATE INDEX journal_by_actor ON journal (actor, change) WHERE actor IS NOT NULL;
CREATE INDEX journal_by_site ON journal (site, change);
CREATE INDEX journal_by_request ON journal (request_id, change) WHERE request_id IS NOT NULL;
-- What the correlation does is by far the most, found by its age, and written without this.
CREATE INDEX journal_by_event ON journal (event, change)
    WHERE event NOT IN ('alarm.raised', 'alarm.extended', 'alarm.cleared');
CREATE INDEX journal_by_role ON journal (role, change) WHERE role <> 'observer';
CREATE INDEX positions_by_time ON positions (recorded_at);

REVOKE EXECUTE ON FUNCTION
    erase(text, uuid, text, uuid, uuid, text, uuid, text, text, timestamptz), expire_accesses()
    FROM PUBLIC;
GRANT EXECUTE ON FUNCTION
    erase(text, uuid, text, uuid, uuid, text, uuid, text, text, timestamptz), expire_accesses()
    TO leitstand;
