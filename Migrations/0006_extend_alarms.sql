-- What observers and the process industry's measures (ISA-18.2) need of an alarm: the rule that
-- raised it, its group, whether and when it rang, who has to deal with it, and all its verdicts.

-- How detections of a pattern become alarms at a site. A rule is never changed: a new version
-- follows it, and each alarm keeps the version that it was raised under.
CREATE TABLE correlation_rules (
    site text NOT NULL REFERENCES sites,
    id uuid NOT NULL UNIQUE,
    pattern text NOT NULL,
    version integer NOT NULL CHECK (version > 0),
    confidence_min double precision NOT NULL CHECK (confidence_min BETWEEN 0 AND 1),
    -- So many detections within the window raise an alarm.
    detections_min integer NOT NULL CHECK (detections_min > 0),
    detections_window interval NOT NULL CHECK (detections_window > interval '0'),
    quiet interval NOT NULL CHECK (quiet > interval '0'),
    priority text NOT NULL,
    -- An alarm that nobody acknowledges for so long is overdue; NULL: never.
    escalate_after interval,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (site, pattern, version)
);
GRANT SELECT, INSERT ON correlation_rules TO leitstand;
-- Lists are newest first and page by (created_at, id).
CREATE INDEX correlation_rules_by_age ON correlation_rules (site, created_at, id);
CREATE TRIGGER configuration_changed AFTER INSERT ON correlation_rules
    FOR EACH STATEMENT EXECUTE FUNCTION count_configuration_change();

-- A camera, a pattern, both, or a single alarm put aside, with an end. Detections go on being
-- counted meanwhile; what is active when it ends rings then.
CREATE TABLE shelvings (
    site text NOT NULL REFERENCES sites,
    id uuid NOT NULL UNIQUE,
    alarm uuid,
    camera uuid,
    pattern text,
    -- The reason, which a person wrote.
    remark uuid NOT NULL REFERENCES remarks (id),
    shelved_by uuid NOT NULL,
    shelved_at timestamptz NOT NULL,
    until timestamptz NOT NULL,
    ended_at timestamptz,
    -- NULL: its time ran out.
    ended_by uuid,
    PRIMARY KEY (site, id),
    FOREIGN KEY (site, camera) REFERENCES cameras (site, id),
    FOREIGN KEY (site, alarm) REFERENCES alarms (site, id),
    CHECK (until > shelved_at),
    CHECK (num_nonnulls(alarm, camera, pattern) > 0),
    CHECK (alarm IS NULL OR num_nonnulls(camera, pattern) = 0)
);
GRANT SELECT, INSERT, UPDATE ON shelvings TO leitstand;
CREATE INDEX shelvings_by_age ON shelvings (site, shelved_at, id);
CREATE INDEX shelvings_running ON shelvings (until) WHERE ended_at IS NULL;

-- Each verdict that was ever given; the last is the current one.
CREATE TABLE verdicts (
    site text NOT NULL,
    alarm uuid NOT NULL,
    ordinal integer NOT NULL,
    verdict text NOT NULL CHECK (verdict IN ('confirmed', 'dismissed')),
    dismissal_reason text,
    remark uuid REFERENCES remarks (id),
    judged_by uuid NOT NULL,
    judged_at timestamptz NOT NULL,
    change bigint NOT NULL,
    PRIMARY KEY (site, alarm, ordinal),
    FOREIGN KEY (site, alarm) REFERENCES alarms (site, id),
    CHECK ((verdict = 'dismissed') = (dismissal_reason IS NOT NULL))
);
GRANT SELECT, INSERT ON verdicts TO leitstand;

-- A function with a row as its argument forbids new columns with defaults (PostgreSQL 15.20).
DROP FUNCTION alarm_document(alarms);

ALTER TABLE alarms
    -- NULL: the site had no rule for the pattern; the product's defaults raised it.
    ADD rule_version integer,
    -- Of the detection that raised it, in production too. NULL: it was raised before this was kept.
    ADD raised_by_model text,
    ADD overdue_at timestamptz,
    ADD overdue boolean NOT NULL DEFAULT false,
    -- The id of the group's first alarm: alarms of one area and mode raised within 30 s.
    ADD alarm_group uuid,
    -- When it rang at the positions; NULL: late, shelved, or not production.
    ADD annunciated_at timestamptz,
    ADD position text,
    ADD assigned_by uuid,
    ADD assigned_at timestamptz,
    -- From whom whoever holds it now took it over; NULL: from nobody.
    ADD taken_over_from uuid,
    ADD shelving uuid,
    ADD shelved_until timestamptz,
    ADD chattering boolean NOT NULL DEFAULT false,
    ADD stale boolean NOT NULL DEFAULT false,
    -- Rang while a position that watches its area had more alarms than a person can handle.
    ADD flood boolean NOT NULL DEFAULT false,
    -- The matter that it belongs to. Follows from incident_alarms (note_linked_alarms), and stands
    -- here because a document that looks it up would cost each list and each detection a query.
    ADD incident uuid,
    ADD CHECK ((position IS NULL) = (assigned_at IS NULL)),
    ADD CHECK (taken_over_from IS NULL OR handling = 'acknowledged'),
    -- Closing ends shelving.
    ADD CHECK (shelving IS NULL OR handling <> 'closed'),
    ADD CHECK ((shelving IS NULL) = (shelved_until IS NULL));

-- While an alarm goes on, each group of its detections updates it. No index contains what such an
-- update changes, so that it stays on the alarm's page and writes to no index at all: `cleared_at`,
-- the end and the quiet time, stands for the end, and what is due is looked for among the active.
DROP INDEX alarms_by_episode;
CREATE INDEX alarms_by_episode
    ON alarms (camera, pattern, operating_mode, model, cleared_at);
DROP INDEX alarms_due;
ALTER TABLE alarms SET (fillfactor = 80);

-- The list of an area, and the alarms around an instant that make a group.
CREATE INDEX alarms_by_area ON alarms (area, raised_at, id);
-- Lists of a value that hardly ever occurs must not search all years for it. Indexes that leave
-- out what most alarms are cost the raise nothing.
CREATE INDEX alarms_by_pattern ON alarms (site, pattern, raised_at, id);
CREATE INDEX alarms_by_mode ON alarms (site, operating_mode, raised_at, id)
    WHERE operating_mode <> 'production';
-- What observers still have to judge of parallel operation and training.
CREATE INDEX alarms_worklist ON alarms (site, raised_at, id)
    WHERE verdict = 'none' AND operating_mode <> 'production';
CREATE INDEX alarms_by_incident ON alarms (incident) WHERE incident IS NOT NULL;
CREATE INDEX alarms_by_priority ON alarms (site, priority, raised_at, id)
    WHERE priority <> 'medium';
CREATE INDEX alarms_unjudged ON alarms (site, raised_at, id) WHERE verdict = 'none';
CREATE INDEX alarms_confirmed ON alarms (site, raised_at, id) WHERE verdict = 'confirmed';
CREATE INDEX alarms_dismissed ON alarms (site, raised_at, id) WHERE verdict = 'dismissed';
CREATE INDEX alarms_acknowledged ON alarms (site, raised_at, id) WHERE handling = 'acknowledged';
CREATE INDEX alarms_closed ON alarms (site, raised_at, id) WHERE handling = 'closed';
CREATE INDEX alarms_late ON alarms (site, raised_at, id) WHERE late;
CREATE INDEX alarms_by_clearing ON alarms (site, cleared_at) WHERE cleared_at IS NOT NULL;
CREATE INDEX alarms_by_annunciation ON alarms (site, annunciated_at)
    WHERE annunciated_at IS NOT NULL;
CREATE INDEX alarms_to_escalate ON alarms (overdue_at)
    WHERE overdue_at IS NOT NULL AND NOT overdue AND handling = 'new';
CREATE INDEX alarms_shelved ON alarms (shelving) WHERE shelving IS NOT NULL;
-- Lists of what is rare. Each update of an alarm writes to all indexes that contain it, so these
-- contain only what is looked for.
CREATE INDEX alarms_grouped ON alarms (alarm_group) WHERE alarm_group <> id;
CREATE INDEX alarms_overdue ON alarms (site, raised_at, id) WHERE overdue;
CREATE INDEX alarms_chattering ON alarms (site, raised_at, id) WHERE chattering;
CREATE INDEX alarms_stale ON alarms (site, raised_at, id) WHERE stale;
CREATE INDEX alarms_flooding ON alarms (site, raised_at, id) WHERE flood;

CREATE OR REPLACE FUNCTION alarm_document(alarm alarms) RETURNS json
LANGUAGE sql STABLE
RETURN json_build_object(
    'id', alarm.id,
    'site', alarm.site,
    'area', alarm.area,
    'camera', alarm.camera,
    'pattern', alarm.pattern,
    'operating_mode', alarm.operating_mode,
    'model', coalesce(alarm.raised_by_model, nullif(alarm.model, '')),
    'rule_version', alarm.rule_version,
    'group', alarm.alarm_group,
    -- What clients test instead of the members that it follows from. AlarmFilter has it too.
    'attention', CASE
        WHEN alarm.shelving IS NOT NULL THEN 'none'
        WHEN alarm.annunciated_at IS NOT NULL AND alarm.condition = 'active'
            AND alarm.handling = 'new' THEN 'ring'
        WHEN alarm.operating_mode <> 'production' AND alarm.verdict = 'none'
            AND alarm.handling <> 'closed' THEN 'worklist'
        ELSE 'none'
    END,
    'condition', alarm.condition,
    'handling', alarm.handling,
    'suppression', CASE WHEN alarm.shelving IS NULL THEN 'none' ELSE 'shelved' END,
    'shelving', alarm.shelving,
    'shelved_until', rfc3339(alarm.shelved_until),
    'verdict', alarm.verdict,
    'dismissal_reason', alarm.dismissal_reason,
    'judged_by',
        CASE WHEN alarm.judged_by IS NOT NULL
            THEN json_build_object('token', alarm.judged_by) END,
    'judged_at', rfc3339(alarm.judged_at),
    'incident', alarm.incident,
    'priority', alarm.priority,
    'raised_at', rfc3339(alarm.raised_at),
    'received_at', rfc3339(alarm.received_at),
    'annunciated_at', rfc3339(alarm.annunciated_at),
    'last_detection_at', rfc3339(alarm.last_detection_at),
    'cleared_at', rfc3339(alarm.cleared_at),
    'detection_count', alarm.detection_count,
    'max_confidence', alarm.max_confidence,
    'late', alarm.late,
    'overdue', alarm.overdue,
    'chattering', alarm.chattering,
    'stale', alarm.stale,
    'flood', alarm.flood,
    'position', alarm.position,
    'assigned_by',
        CASE WHEN alarm.assigned_by IS NOT NULL
            THEN json_build_object('token', alarm.assigned_by) END,
    'assigned_at', rfc3339(alarm.assigned_at),
    'acknowledged_by',
        CASE WHEN alarm.acknowledged_by IS NOT NULL
            THEN json_build_object('token', alarm.acknowledged_by) END,
    'acknowledged_at', rfc3339(alarm.acknowledged_at),
    'taken_over_from',
        CASE WHEN alarm.taken_over_from IS NOT NULL
            THEN json_build_object('token', alarm.taken_over_from) END,
    'closed_by',
        CASE WHEN alarm.closed_by IS NOT NULL
            THEN json_build_object('token', alarm.closed_by) END,
    'closed_at', rfc3339(alarm.closed_at));

-- What readers get in the place of what the journal must not keep. Whatever stands in a document
-- as {"token": id} also gets the name that the token has, as long as it has one.
CREATE OR REPLACE FUNCTION with_staff_names(document json) RETURNS json
LANGUAGE sql STABLE
RETURN CASE
    WHEN document::text NOT LIKE '%{"token" : "%' THEN document
    -- As text, in the form that json_build_object gives it: lists name people in each document,
    -- and taking documents apart costs them more than all else. A text in a document has no
    -- quotation mark without a backslash, so nobody can write what is looked for here.
    ELSE (
        SELECT string_agg(
            CASE WHEN parts.place = 1 THEN parts.part
                ELSE '{"token" : "' || left(parts.part, 37) || ', "name" : '
                    || coalesce(
                        (SELECT to_json(t.name)::text FROM tokens t
                            WHERE t.id = left(parts.part, 36)::uuid),
                        'null')
                    || substr(parts.part, 38)
            END, '' ORDER BY parts.place)::json
        FROM string_to_table(document::text, '{"token" : "') WITH ORDINALITY AS parts (part, place))
END;

-- Whatever stands in a document as {"remark": id} becomes the text, or null once it is erased.
CREATE FUNCTION with_remarks(document json) RETURNS json
LANGUAGE sql STABLE
RETURN CASE
    WHEN document::text NOT LIKE '%"remark"%' THEN document
    ELSE (document::jsonb || (
        SELECT coalesce(
            jsonb_object_agg(member.key, (
                SELECT r.text FROM remarks r WHERE r.id = (member.value ->> 'remark')::uuid)),
            '{}')
        FROM jsonb_each(document::jsonb) member
        WHERE jsonb_typeof(member.value) = 'object' AND member.value ? 'remark'))::json
END;

-- Shelving.

-- An alarm is shelved by itself once at a time.
CREATE UNIQUE INDEX shelvings_one_running ON shelvings (alarm)
    WHERE alarm IS NOT NULL AND ended_at IS NULL;
CREATE INDEX shelvings_by_alarm ON shelvings (alarm, shelved_at) WHERE alarm IS NOT NULL;
CREATE INDEX shelvings_by_camera ON shelvings (site, camera, shelved_at, id);
CREATE INDEX alarms_shelved_by_age ON alarms (site, raised_at, id) WHERE shelving IS NOT NULL;
CREATE INDEX alarms_by_position ON alarms (site, position, raised_at, id)
    WHERE position IS NOT NULL;

CREATE FUNCTION shelving_document(shelving shelvings) RETURNS json
LANGUAGE sql STABLE
RETURN json_build_object(
    'id', shelving.id,
    'site', shelving.site,
    'alarm', shelving.alarm,
    'camera', shelving.camera,
    'pattern', shelving.pattern,
    'reason', json_build_object('remark', shelving.remark),
    'shelved_by', json_build_object('token', shelving.shelved_by),
    'shelved_at', rfc3339(shelving.shelved_at),
    'until', rfc3339(shelving.until),
    'ended_at', rfc3339(shelving.ended_at),
    'ended_by',
        CASE WHEN shelving.ended_by IS NOT NULL
            THEN json_build_object('token', shelving.ended_by) END);

-- The shelving that an alarm is under: of those of its camera and pattern that run, and of its
-- own, the one that ends last. No row: none.
CREATE FUNCTION covering_shelving(alarm alarms, includes_own boolean)
RETURNS SETOF shelvings
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT s.* FROM shelvings s
    WHERE s.site = (covering_shelving.alarm).site AND s.ended_at IS NULL
        AND CASE WHEN s.alarm IS NULL
            THEN (s.camera IS NULL OR s.camera = (covering_shelving.alarm).camera)
                AND (s.pattern IS NULL OR s.pattern = (covering_shelving.alarm).pattern)
            ELSE covering_shelving.includes_own AND s.alarm = (covering_shelving.alarm).id
        END
    ORDER BY s.until DESC, s.id DESC
    LIMIT 1;
END;

-- Rings the alarms that need somebody from now on: of those given the ones of production that are
-- active, not shelved, and that nobody has. The time to acknowledge them begins anew. Returns how
-- many rang.
CREATE FUNCTION annunciate_alarms(
    change bigint, ordinal integer, waiting uuid[], instant timestamptz, actor uuid, role text,
    request_id text) RETURNS integer
LANGUAGE plpgsql AS $$
DECLARE
    rung integer;
BEGIN
    WITH ringing AS (
        UPDATE alarms a
        -- note_annunciation() sets what follows from it.
        SET annunciated_at = instant, overdue = false
        WHERE a.id = ANY (waiting) AND a.shelving IS NULL AND a.condition = 'active'
            AND a.handling = 'new' AND a.operating_mode = 'production'
        RETURNING a.site, a.id, alarm_document(a) AS document
    )
    INSERT INTO journal (change, ordinal, event, site, subject, occurred_at, actor, role,
        request_id, document)
    SELECT annunciate_alarms.change,
        annunciate_alarms.ordinal + row_number() OVER (ORDER BY r.id) - 1, 'alarm.annunciated',
        r.site, r.id, instant, annunciate_alarms.actor, annunciate_alarms.role,
        annunciate_alarms.request_id, r.document
    FROM ringing r;
    GET DIAGNOSTICS rung = ROW_COUNT;
    RETURN rung;
END
$$;

-- Takes alarms from under a shelving that has ended; NULL: from under all such. Each goes under
-- another one that covers it and still runs, or is shelved no longer and rings if it still has to.
-- Alarms that another transaction holds are the next call's, as are those that were raised under a
-- shelving at the moment when it ended. Returns how many rows it journaled.
CREATE FUNCTION release_shelved_alarms(
    ended uuid, change bigint, ordinal integer, instant timestamptz, actor uuid, role text,
    request_id text) RETURNS integer
LANGUAGE plpgsql AS $$
DECLARE
    released uuid[];
    moved integer;
BEGIN
    SELECT array_agg(held.id) INTO released FROM (
        SELECT a.id FROM alarms a
        JOIN shelvings s ON s.id = a.shelving
        WHERE s.ended_at IS NOT NULL
            AND (release_shelved_alarms.ended IS NULL OR s.id = release_shelved_alarms.ended)
        ORDER BY a.id
        LIMIT 1000
        FOR UPDATE OF a SKIP LOCKED
    ) held;
    IF released IS NULL THEN
        RETURN 0;
    END IF;
    UPDATE alarms a
    SET (shelving, shelved_until) = (SELECT c.id, c.until FROM covering_shelving(a, true) c)
    WHERE a.id = ANY (released);
    INSERT INTO journal (change, ordinal, event, site, subject, occurred_at, actor, role,
        request_id, document)
    SELECT release_shelved_alarms.change,
        release_shelved_alarms.ordinal + row_number() OVER (ORDER BY a.id) - 1,
        CASE WHEN a.shelving IS NULL THEN 'alarm.unshelved' ELSE 'alarm.shelved' END,
        a.site, a.id, instant, release_shelved_alarms.actor, release_shelved_alarms.role,
        release_shelved_alarms.request_id, alarm_document(a)
    FROM alarms a WHERE a.id = ANY (released);
    GET DIAGNOSTICS moved = ROW_COUNT;
    RETURN moved + annunciate_alarms(
        change, ordinal + moved, released, instant, actor, role, request_id);
END
$$;

-- Puts aside what a new shelving covers: the alarms that are active and not closed. What is raised
-- while it runs is born shelved. An alarm that is shelved for longer already stays where it is.
-- Returns how many rows it journaled.
CREATE FUNCTION shelve_covered_alarms(
    change bigint, ordinal integer, shelving uuid, actor uuid, role text, request_id text)
RETURNS integer
LANGUAGE plpgsql AS $$
DECLARE
    begun shelvings;
    covered uuid[];
BEGIN
    SELECT * INTO STRICT begun FROM shelvings s WHERE s.id = shelve_covered_alarms.shelving;
    SELECT array_agg(held.id) INTO covered FROM (
        SELECT a.id FROM alarms a
        WHERE a.site = begun.site AND a.condition = 'active' AND a.handling <> 'closed'
            AND (begun.camera IS NULL OR a.camera = begun.camera)
            AND (begun.pattern IS NULL OR a.pattern = begun.pattern)
            AND (a.shelved_until IS NULL OR a.shelved_until < begun.until)
        ORDER BY a.id
        FOR UPDATE
    ) held;
    IF covered IS NULL THEN
        RETURN 0;
    END IF;
    UPDATE alarms a SET shelving = begun.id, shelved_until = begun.until, overdue_at = NULL
    WHERE a.id = ANY (covered);
    INSERT INTO journal (change, ordinal, event, site, subject, occurred_at, actor, role, remark,
        remark_hash, request_id, document)
    SELECT shelve_covered_alarms.change,
        shelve_covered_alarms.ordinal + row_number() OVER (ORDER BY a.id) - 1, 'alarm.shelved',
        a.site, a.id, begun.shelved_at, shelve_covered_alarms.actor, shelve_covered_alarms.role,
        r.id, sha256(r.salt || convert_to(r.text, 'UTF8')), shelve_covered_alarms.request_id,
        alarm_document(a)
    FROM alarms a JOIN remarks r ON r.id = begun.remark
    WHERE a.id = ANY (covered);
    RETURN cardinality(covered);
END
$$;

-- Ends the shelvings whose time has run out. Any instance may call it: what another one holds is
-- skipped, and done in the next round. Returns how many rows it journaled.
CREATE FUNCTION end_due_shelvings() RETURNS bigint
LANGUAGE plpgsql AS $$
<<ending>>
DECLARE
    change bigint;
    ended integer;
    released integer;
BEGIN
    PERFORM FROM shelvings WHERE ended_at IS NULL AND until <= clock_timestamp() LIMIT 1;
    IF NOT FOUND THEN
        -- A raise and the end of its shelving may have crossed.
        PERFORM FROM alarms a JOIN shelvings s ON s.id = a.shelving
        WHERE s.ended_at IS NOT NULL LIMIT 1;
        IF NOT FOUND THEN
            RETURN 0;
        END IF;
    END IF;
    change := nextval('changes');
    WITH due AS (
        SELECT s.site, s.id FROM shelvings s
        WHERE s.ended_at IS NULL AND s.until <= clock_timestamp()
        ORDER BY s.until
        LIMIT 1000
        FOR UPDATE SKIP LOCKED
    ), changed AS (
        UPDATE shelvings s SET ended_at = s.until
        FROM due
        WHERE s.site = due.site AND s.id = due.id
        RETURNING s.site, s.id, s.until, shelving_document(s) AS document
    )
    INSERT INTO journal (change, ordinal, event, site, subject, occurred_at, document)
    SELECT ending.change, row_number() OVER (ORDER BY c.until, c.id), 'shelving.ended', c.site,
        c.id, c.until, c.document
    FROM changed c;
    GET DIAGNOSTICS ended = ROW_COUNT;
    released := release_shelved_alarms(
        NULL, change, ended + 1, clock_timestamp(), NULL, NULL, NULL);
    IF ended + released > 0 THEN
        PERFORM append_position(change);
    END IF;
    RETURN ended + released;
END
$$;

-- Rules: their document, and what the detections before an alarm's raise belong to.

CREATE FUNCTION rule_document(rule correlation_rules) RETURNS json
LANGUAGE sql STABLE
RETURN json_build_object(
    'id', rule.id,
    'site', rule.site,
    'pattern', rule.pattern,
    'version', rule.version,
    'confidence_min', rule.confidence_min,
    'detections_min', rule.detections_min,
    'detections_window_seconds', extract(epoch FROM rule.detections_window)::integer,
    'quiet_seconds', extract(epoch FROM rule.quiet)::integer,
    'priority', rule.priority,
    'escalate_after_seconds', extract(epoch FROM rule.escalate_after)::integer,
    'created_at', rfc3339(rule.created_at));

-- The detections that an alarm counts although they were stored before it was raised, because
-- its rule wants several. What a node saw is append-only, so their own `alarm` stays NULL.
CREATE TABLE preceding_detections (
    site text NOT NULL,
    alarm uuid NOT NULL,
    occurred_at timestamptz NOT NULL,
    id uuid NOT NULL,
    -- A detection belongs to one alarm at most.
    PRIMARY KEY (site, occurred_at, id),
    FOREIGN KEY (site, alarm) REFERENCES alarms (site, id)
);
GRANT SELECT, INSERT ON preceding_detections TO leitstand;
CREATE INDEX preceding_detections_by_alarm ON preceding_detections (alarm);

-- The detections that an alarm counts, as far as they are still kept.
CREATE FUNCTION detections_of_alarm(site text, alarm uuid)
RETURNS TABLE (occurred_at timestamptz, id uuid)
LANGUAGE sql STABLE
BEGIN ATOMIC
    -- A node's clock may be ahead of ours by five minutes; its detection counts at its receipt.
    SELECT d.occurred_at, d.id
    FROM alarms a
    JOIN detections d ON d.camera = a.camera AND d.alarm = a.id
        AND d.occurred_at BETWEEN a.started_at AND a.last_detection_at + interval '5 minutes'
    WHERE a.site = detections_of_alarm.site AND a.id = detections_of_alarm.alarm
    UNION ALL
    SELECT d.occurred_at, d.id
    FROM preceding_detections p
    JOIN detections d USING (site, occurred_at, id)
    WHERE p.site = detections_of_alarm.site AND p.alarm = detections_of_alarm.alarm;
END;

-- Annunciation: what an alarm gets when it is raised, and when it rings.

-- One period of more alarms than a person at the position can handle. The position '' is the
-- whole of a site that has entered none.
CREATE TABLE floods (
    site text NOT NULL REFERENCES sites,
    position text NOT NULL,
    started_at timestamptz NOT NULL,
    ended_at timestamptz,
    -- Which areas the position watches; NULL: all.
    areas uuid[],
    -- How many alarms the last ten minutes had when it started, or ended.
    alarms bigint NOT NULL,
    PRIMARY KEY (site, position, started_at),
    CHECK (ended_at >= started_at)
);
GRANT SELECT, INSERT, UPDATE ON floods TO leitstand;
CREATE UNIQUE INDEX floods_running ON floods (site, position) WHERE ended_at IS NULL;

CREATE FUNCTION flood_document(flood floods) RETURNS json
LANGUAGE sql STABLE
RETURN json_build_object(
    'site', flood.site,
    'position', flood.position,
    'started_at', rfc3339(flood.started_at),
    'ended_at', rfc3339(flood.ended_at),
    'count', flood.alarms);

-- Holds back whoever else raises alarms in these areas until this transaction is visible: an
-- alarm's group is that of the alarms before it. To be called before the insert, and in the order
-- of the locks, so that no two transactions wait for each other in a ring.
CREATE FUNCTION lock_areas(areas uuid[]) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    lock integer;
BEGIN
    FOR lock IN SELECT DISTINCT hashtext(area::text) AS key FROM unnest(areas) area ORDER BY key
    LOOP
        PERFORM pg_advisory_xact_lock(7236003, lock);
    END LOOP;
END
$$;

CREATE FUNCTION place_raised_alarm() RETURNS trigger
LANGUAGE plpgsql AS $$
DECLARE
    group_gap CONSTANT interval := '30 seconds';
BEGIN
    -- It joins the group of the alarm before it, else of the one after it, which arrived earlier.
    -- Groups never merge.
    SELECT alarm_group INTO NEW.alarm_group FROM alarms
    WHERE area = NEW.area AND operating_mode = NEW.operating_mode
        AND raised_at BETWEEN NEW.raised_at - group_gap AND NEW.raised_at
    ORDER BY raised_at DESC LIMIT 1;
    IF NEW.alarm_group IS NULL THEN
        SELECT alarm_group INTO NEW.alarm_group FROM alarms
        WHERE area = NEW.area AND operating_mode = NEW.operating_mode
            AND raised_at > NEW.raised_at AND raised_at <= NEW.raised_at + group_gap
        ORDER BY raised_at LIMIT 1;
    END IF;
    NEW.alarm_group := coalesce(NEW.alarm_group, NEW.id);

    -- What is late is over, and has nothing to be put aside.
    IF NEW.late THEN
        RETURN NEW;
    END IF;
    SELECT id, until INTO NEW.shelving, NEW.shelved_until FROM covering_shelving(NEW, false);
    -- In the other modes observers judge alarms too, from a list that does not ring.
    IF NEW.shelving IS NULL AND NEW.operating_mode = 'production' THEN
        NEW.annunciated_at := NEW.received_at;
    END IF;
    RETURN NEW;
END
$$;

-- What follows from ringing, be it at the raise or when a shelving ends: sets overdue_at,
-- chattering and flood.
CREATE FUNCTION note_annunciation() RETURNS trigger
LANGUAGE plpgsql AS $$
DECLARE
    -- ISA-18.2 calls chattering what comes and goes in a short period, such as three times a
    -- minute. An episode lasts its quiet time at least, so the period is ten minutes here, the
    -- same over which the standard measures floods.
    chattering_count CONSTANT integer := 3;
    chattering_period CONSTANT interval := '10 minutes';
    -- Another alarm of the key is cleared, and not long before it rang: what rings has had a
    -- detection within its quiet time (an hour at most) and the allowance for arrival (a minute).
    -- This keeps the search on the index.
    clearing_age_max CONSTANT interval := '61 minutes';
BEGIN
    IF NEW.annunciated_at IS NULL THEN
        RETURN NEW;
    END IF;
    IF TG_OP = 'UPDATE' AND NEW.annunciated_at IS NOT DISTINCT FROM OLD.annunciated_at THEN
        RETURN NEW;
    END IF;
    IF NEW.rule_version IS NOT NULL THEN
        SELECT NEW.annunciated_at + r.escalate_after INTO NEW.overdue_at
        FROM correlation_rules r
        WHERE r.site = NEW.site AND r.pattern = NEW.pattern AND r.version = NEW.rule_version;
    END IF;
    NEW.chattering := NEW.chattering OR (
        SELECT count(*) >= chattering_count - 1
        FROM (
            SELECT FROM alarms a
            WHERE a.camera = NEW.camera AND a.pattern = NEW.pattern
                AND a.operating_mode = NEW.operating_mode AND a.model = NEW.model
                AND a.cleared_at > NEW.annunciated_at - chattering_period - clearing_age_max
                AND a.annunciated_at > NEW.annunciated_at - chattering_period
                AND a.annunciated_at <= NEW.annunciated_at AND a.id <> NEW.id
            ORDER BY a.cleared_at DESC
            LIMIT chattering_count - 1
        ) before);
    NEW.flood := NEW.flood OR EXISTS (
        SELECT FROM floods f
        WHERE f.site = NEW.site AND f.ended_at IS NULL
            AND (f.areas IS NULL OR NEW.area = ANY (f.areas)));
    RETURN NEW;
END
$$;

-- Triggers of one kind fire in the order of their names: first it is placed, then it rings.
CREATE TRIGGER alarm_1_placed BEFORE INSERT ON alarms
    FOR EACH ROW EXECUTE FUNCTION place_raised_alarm();
CREATE TRIGGER alarm_2_annunciated BEFORE INSERT OR UPDATE OF annunciated_at ON alarms
    FOR EACH ROW EXECUTE FUNCTION note_annunciation();

-- Released or reopened, an alarm is nobody's again: the time until it is overdue starts anew,
-- whether it has ever rung or was put aside until somebody had it.
CREATE FUNCTION restart_escalation() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    SELECT clock_timestamp() + r.escalate_after INTO NEW.overdue_at
    FROM correlation_rules r
    WHERE r.site = NEW.site AND r.pattern = NEW.pattern AND r.version = NEW.rule_version;
    RETURN NEW;
END
$$;
CREATE TRIGGER alarm_3_escalation_restarted BEFORE UPDATE OF handling ON alarms
    FOR EACH ROW
    WHEN (OLD.handling <> 'new' AND NEW.handling = 'new' AND NEW.shelving IS NULL
        AND NEW.operating_mode = 'production' AND NOT NEW.late AND NOT NEW.overdue)
    EXECUTE FUNCTION restart_escalation();

-- Tells once of each alarm that nobody has acknowledged in the time its rule gives. It stays
-- marked when somebody does: that it took too long remains true. One put aside is not overdue.
CREATE FUNCTION mark_overdue_alarms(at timestamptz DEFAULT clock_timestamp()) RETURNS bigint
LANGUAGE plpgsql AS $$
<<marking>>
DECLARE
    change bigint;
    marked bigint;
BEGIN
    PERFORM FROM alarms
    WHERE overdue_at IS NOT NULL AND NOT overdue AND handling = 'new'
        AND overdue_at <= mark_overdue_alarms.at AND shelving IS NULL
    LIMIT 1;
    IF NOT FOUND THEN
        RETURN 0;
    END IF;
    change := nextval('changes');
    WITH due AS (
        SELECT site, id FROM alarms
        WHERE overdue_at IS NOT NULL AND NOT overdue AND handling = 'new'
            AND overdue_at <= mark_overdue_alarms.at AND shelving IS NULL
        ORDER BY overdue_at
        LIMIT 1000
        FOR UPDATE SKIP LOCKED
    ), changed AS (
        UPDATE alarms a
        SET overdue = true
        FROM due
        WHERE a.site = due.site AND a.id = due.id
        RETURNING a.site, a.id, a.overdue_at, alarm_document(a) AS document
    )
    INSERT INTO journal (change, ordinal, event, site, subject, occurred_at, document)
    SELECT marking.change, row_number() OVER (ORDER BY overdue_at, id), 'alarm.overdue',
        site, id, overdue_at, document
    FROM changed;
    GET DIAGNOSTICS marked = ROW_COUNT;
    IF marked > 0 THEN
        PERFORM append_position(change);
    END IF;
    RETURN marked;
END
$$;

-- Tells once of each alarm that rang a day ago and is still active (ISA-18.2: stale). It stays
-- marked when it clears. Active alarms are few, so this reads them all.
CREATE FUNCTION mark_stale_alarms(at timestamptz DEFAULT clock_timestamp()) RETURNS bigint
LANGUAGE plpgsql AS $$
<<marking>>
DECLARE
    stale_after CONSTANT interval := '24 hours';
    change bigint;
    marked bigint;
BEGIN
    PERFORM FROM alarms
    WHERE condition = 'active' AND NOT stale
        AND annunciated_at <= mark_stale_alarms.at - stale_after
    LIMIT 1;
    IF NOT FOUND THEN
        RETURN 0;
    END IF;
    change := nextval('changes');
    WITH due AS (
        SELECT site, id FROM alarms
        WHERE condition = 'active' AND NOT stale
            AND annunciated_at <= mark_stale_alarms.at - stale_after
        ORDER BY annunciated_at
        LIMIT 1000
        FOR UPDATE SKIP LOCKED
    ), changed AS (
        UPDATE alarms a
        SET stale = true
        FROM due
        WHERE a.site = due.site AND a.id = due.id
        RETURNING a.site, a.id, a.annunciated_at + stale_after AS stale_at,
            alarm_document(a) AS document
    )
    INSERT INTO journal (change, ordinal, event, site, subject, occurred_at, document)
    SELECT marking.change, row_number() OVER (ORDER BY stale_at, id), 'alarm.stale',
        site, id, stale_at, document
    FROM changed;
    GET DIAGNOSTICS marked = ROW_COUNT;
    IF marked > 0 THEN
        PERFORM append_position(change);
    END IF;
    RETURN marked;
END
$$;

-- The positions at which somebody sits at that instant, with the areas they watch (NULL: all). A
-- site without positions counts as one that is always staffed and has no name.
CREATE FUNCTION staffed_positions(at timestamptz)
RETURNS TABLE (site text, name text, areas uuid[])
LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN QUERY
    SELECT s.id, p.name, p.areas
    FROM sites s
    JOIN observer_positions p ON p.site = s.id
    WHERE schedule_covers(p.staffed, s.time_zone, staffed_positions.at)
    UNION ALL
    SELECT s.id, '', NULL
    FROM sites s
    WHERE NOT EXISTS (SELECT FROM observer_positions p WHERE p.site = s.id);
END
$$;

-- How many alarms rang at a position since an instant, but no more than `most` are counted.
CREATE FUNCTION count_annunciated(
    site text, areas uuid[], lower timestamptz, upper timestamptz, most bigint
) RETURNS bigint
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT count(*) FROM (
        SELECT FROM alarms a
        WHERE a.site = count_annunciated.site AND a.annunciated_at > lower
            AND a.annunciated_at <= upper
            AND (count_annunciated.areas IS NULL OR a.area = ANY (count_annunciated.areas))
        LIMIT most) rung;
END;

-- Starts and ends the floods of all positions (ISA-18.2: more than ten alarms in ten minutes,
-- until fewer than five; and until nobody sits there). Returns how many it started or ended.
CREATE FUNCTION follow_floods(at timestamptz DEFAULT clock_timestamp()) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
    period CONSTANT interval := '10 minutes';
    starts_beyond CONSTANT integer := 10;
    ends_below CONSTANT integer := 5;
    since CONSTANT timestamptz := follow_floods.at - period;
    followed bigint;
BEGIN
    -- One instance at a time; what another does meanwhile need not be done again.
    IF NOT pg_try_advisory_xact_lock(7236006) THEN
        RETURN 0;
    END IF;
    WITH staffed AS MATERIALIZED (
        SELECT * FROM staffed_positions(follow_floods.at)
    ), started AS (
        INSERT INTO floods (site, position, started_at, areas, alarms)
        SELECT p.site, p.name,
            -- Since the alarm that was one too many; but floods do not overlap.
            greatest(
                (SELECT a.annunciated_at FROM alarms a
                    WHERE a.site = p.site AND a.annunciated_at > since
                        AND a.annunciated_at <= follow_floods.at
                        AND (p.areas IS NULL OR a.area = ANY (p.areas))
                    ORDER BY a.annunciated_at OFFSET starts_beyond LIMIT 1),
                (SELECT max(f.ended_at) FROM floods f
                    WHERE f.site = p.site AND f.position = p.name)),
            p.areas,
            count_annunciated(p.site, p.areas, since, follow_floods.at, NULL)
        FROM staffed p
        WHERE NOT EXISTS (
                SELECT FROM floods f
                WHERE f.site = p.site AND f.position = p.name AND f.ended_at IS NULL)
            AND count_annunciated(
                p.site, p.areas, since, follow_floods.at, starts_beyond + 1) > starts_beyond
        RETURNING *
    ), ended AS (
        UPDATE floods f
        SET ended_at = greatest(follow_floods.at, f.started_at),
            alarms = count_annunciated(f.site, f.areas, since, follow_floods.at, NULL)
        WHERE f.ended_at IS NULL
            AND (count_annunciated(f.site, f.areas, since, follow_floods.at, ends_below)
                    < ends_below
                OR NOT EXISTS (
                    SELECT FROM staffed p WHERE p.site = f.site AND p.name = f.position))
        RETURNING *
    ), told AS (
        SELECT 'flood.started' AS event, site, position, started_at AS at,
            flood_document(started) AS document
        FROM started
        UNION ALL
        SELECT 'flood.ended', site, position, ended_at, flood_document(ended)
        FROM ended
    )
    INSERT INTO journal (change, ordinal, event, site, subject, occurred_at, document)
    -- The subquery is run once, and only if there is a row.
    SELECT (SELECT nextval('changes')), row_number() OVER (ORDER BY told.at, site, position),
        event, site, position, told.at, document
    FROM told;
    GET DIAGNOSTICS followed = ROW_COUNT;
    IF followed > 0 THEN
        PERFORM append_position(currval('changes'));
    END IF;
    RETURN followed;
END
$$;

-- How many alarms rang at each position of a site, and how much of it comes from few sources
-- (ISA-18.2 asks for the ten worst of a day). NULL: there is no such site.
CREATE FUNCTION alarm_load_document(site text, at timestamptz) RETURNS json
LANGUAGE plpgsql STABLE AS $$
DECLARE
    sources_max CONSTANT integer := 10;
    document json;
BEGIN
    SELECT json_build_object(
        'site', s.id,
        'at', rfc3339(alarm_load_document.at),
        'positions', (
            SELECT json_agg(
                json_build_object(
                    'position', w.name,
                    'staffed', w.staffed,
                    'annunciated', json_build_object(
                        'ten_minutes', count_annunciated(
                            s.id, w.areas, alarm_load_document.at - interval '10 minutes',
                            alarm_load_document.at, NULL),
                        'hour', count_annunciated(
                            s.id, w.areas, alarm_load_document.at - interval '1 hour',
                            alarm_load_document.at, NULL),
                        'day', count_annunciated(
                            s.id, w.areas, alarm_load_document.at - interval '1 day',
                            alarm_load_document.at, NULL)),
                    'flood_since', (
                        SELECT rfc3339(f.started_at) FROM floods f
                        WHERE f.site = s.id AND f.position = w.name AND f.ended_at IS NULL),
                    'top_sources_share', (
                        SELECT sum(worst.alarms) FILTER (WHERE worst.rank <= sources_max)::float8
                            / sum(worst.alarms)::float8
                        FROM (
                            SELECT count(*) AS alarms,
                                row_number() OVER (ORDER BY count(*) DESC) AS rank
                            FROM alarms a
                            WHERE a.site = s.id
                                AND a.annunciated_at > alarm_load_document.at - interval '1 day'
                                AND a.annunciated_at <= alarm_load_document.at
                                AND (w.areas IS NULL OR a.area = ANY (w.areas))
                            GROUP BY a.camera, a.pattern
                        ) worst))
                ORDER BY w.ordinal)
            FROM (
                SELECT p.name, p.areas, p.ordinal,
                    schedule_covers(p.staffed, s.time_zone, alarm_load_document.at) AS staffed
                FROM observer_positions p WHERE p.site = s.id
                UNION ALL
                SELECT '', NULL, 0, true
                WHERE NOT EXISTS (SELECT FROM observer_positions p WHERE p.site = s.id)
            ) w))
    INTO document
    FROM sites s WHERE s.id = alarm_load_document.site;
    RETURN document;
END
$$;
