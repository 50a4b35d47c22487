-- The main road: detections, the alarms made of them, and the rows that serialise the making.

-- One row per camera, pattern and mode (and, outside production, model version). Whoever decides
-- about the episodes of that key holds the row's lock until its decision is visible.
CREATE TABLE correlation (
    site text NOT NULL,
    camera uuid NOT NULL,
    pattern text NOT NULL,
    operating_mode text NOT NULL,
    -- Empty in production, where episodes span model versions.
    model text NOT NULL,
    PRIMARY KEY (site, camera, pattern, operating_mode, model),
    FOREIGN KEY (site, camera) REFERENCES cameras (site, id)
);
-- UPDATE is needed to lock a row; there is no column worth changing.
GRANT SELECT, INSERT, UPDATE ON correlation TO leitstand;

-- An episode of detections that one observer handles. Its axes are independent: condition,
-- handling, suppression, verdict.
CREATE TABLE alarms (
    site text NOT NULL,
    id uuid NOT NULL UNIQUE,
    area uuid NOT NULL,
    camera uuid NOT NULL,
    pattern text NOT NULL,
    operating_mode text NOT NULL,
    -- Empty in production, as in correlation.
    model text NOT NULL,
    priority text NOT NULL,
    condition text NOT NULL CHECK (condition IN ('active', 'cleared')),
    handling text NOT NULL DEFAULT 'new' CHECK (handling IN ('new', 'acknowledged', 'closed')),
    verdict text NOT NULL DEFAULT 'none' CHECK (verdict IN ('none', 'confirmed', 'dismissed')),
    dismissal_reason text,
    -- When the raising detection happened, and when it reached us. Neither ever moves.
    raised_at timestamptz NOT NULL,
    received_at timestamptz NOT NULL,
    -- The episode's interval. It starts before raised_at when an earlier detection came later.
    started_at timestamptz NOT NULL,
    last_detection_at timestamptz NOT NULL,
    cleared_at timestamptz,
    detection_count bigint NOT NULL,
    max_confidence double precision NOT NULL,
    late boolean NOT NULL,
    -- Under which quiet time it was raised: it clears at last_detection_at + quiet.
    quiet interval NOT NULL,
    -- When no detection that is still under way can extend it any more.
    clears_after timestamptz NOT NULL,
    acknowledged_by uuid,
    acknowledged_at timestamptz,
    -- Who gave the current verdict.
    judged_by uuid,
    judged_at timestamptz,
    closed_by uuid,
    closed_at timestamptz,
    -- alarm.extended is journaled at most once a second; what is held back follows.
    extended_at timestamptz NOT NULL,
    extension_pending boolean NOT NULL DEFAULT false,
    PRIMARY KEY (site, id),
    FOREIGN KEY (site, area) REFERENCES areas (site, id),
    FOREIGN KEY (site, camera) REFERENCES cameras (site, id),
    CHECK ((handling = 'acknowledged') = (acknowledged_by IS NOT NULL)),
    CHECK ((handling = 'closed') = (closed_at IS NOT NULL)),
    CHECK ((condition = 'cleared') = (cleared_at IS NOT NULL))
);
GRANT SELECT, INSERT, UPDATE ON alarms TO leitstand;

-- The correlator asks for the episodes of a key that end after some instant. A camera's id is
-- unique, so no index needs the site before it; and an index that begins with the site is never
-- mistaken for one that finds a camera, as it would be while the tables are still empty.
CREATE INDEX alarms_by_episode
    ON alarms (camera, pattern, operating_mode, model, last_detection_at);
-- It also asks for the episode of a key that starts last.
CREATE INDEX alarms_by_start
    ON alarms (camera, pattern, operating_mode, model, started_at);
-- Two active alarms of one key must not exist, whatever the code above believes.
CREATE UNIQUE INDEX alarms_one_active
    ON alarms (camera, pattern, operating_mode, model) WHERE condition = 'active';
-- Clearing looks for what is due, many times a minute.
CREATE INDEX alarms_due ON alarms (clears_after) WHERE condition = 'active';
CREATE INDEX alarms_pending ON alarms (extended_at) WHERE extension_pending;
-- Lists are newest first and page by (raised_at, id).
CREATE INDEX alarms_by_age ON alarms (site, raised_at, id);
CREATE INDEX alarms_by_camera ON alarms (site, camera, raised_at, id);
-- A dashboard asks for open alarms; without this it scans years of closed ones.
CREATE INDEX alarms_open ON alarms (site, raised_at, id) WHERE handling <> 'closed';

-- What a node saw once. Append-only, and by far the largest table: partitioned by time, so that
-- retention drops a day at once. No foreign key to cameras: each insert would lock the camera's
-- row. Ingest resolves the camera in the same transaction, and cameras are never deleted.
CREATE TABLE detections (
    site text NOT NULL,
    id uuid NOT NULL,
    occurred_at timestamptz NOT NULL,
    received_at timestamptz NOT NULL,
    ended_at timestamptz,
    node uuid NOT NULL,
    camera uuid NOT NULL,
    pattern text NOT NULL,
    operating_mode text NOT NULL,
    model text NOT NULL,
    confidence double precision NOT NULL,
    -- NULL: below the threshold, or older than the retention period.
    alarm uuid,
    counted_only boolean NOT NULL,
    late boolean NOT NULL,
    -- Of the content as sent: the same id with another hash is another detection's id reused.
    content_hash bytea NOT NULL,
    -- Boxes, keypoints, track, recording, attributes; NULL when none was sent.
    payload json,
    change bigint NOT NULL,
    -- An id is unique together with its time. In this order the key also serves the list of a
    -- site, newest first.
    PRIMARY KEY (site, occurred_at, id)
) PARTITION BY RANGE (occurred_at);
GRANT SELECT, INSERT ON detections TO leitstand;

-- The list of a camera.
CREATE INDEX detections_by_camera ON detections (camera, occurred_at, id);

-- Takes what lies outside the days that have a partition of their own.
CREATE TABLE detections_default PARTITION OF detections DEFAULT;

-- Creates the partitions of some days (UTC). The runtime role owns no table, so this runs with
-- the owner's rights. Rows that meanwhile went to the default partition move along.
CREATE FUNCTION ensure_detection_partitions(first date, last date) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    day date;
    name text;
    lower_bound timestamptz;
    upper_bound timestamptz;
BEGIN
    -- Several instances do this at the same time.
    PERFORM pg_advisory_xact_lock(7236002);
    FOR day IN SELECT generate_series(first, last, interval '1 day')::date LOOP
        name := 'detections_' || to_char(day, 'YYYYMMDD');
        CONTINUE WHEN to_regclass(name) IS NOT NULL;
        lower_bound := day::timestamp AT TIME ZONE 'UTC';
        upper_bound := (day + 1)::timestamp AT TIME ZONE 'UTC';
        -- Attaching needs the default partition for itself. A group that has read it and is about
        -- to write must not wait for us meanwhile, so wait here until no such group is left.
        LOCK TABLE ONLY detections IN ACCESS EXCLUSIVE MODE;
        EXECUTE format('CREATE TABLE %I (LIKE detections INCLUDING DEFAULTS)', name);
        EXECUTE format(
            'WITH moved AS (DELETE FROM detections_default
                WHERE occurred_at >= %L AND occurred_at < %L RETURNING *)
             INSERT INTO %I SELECT * FROM moved',
            lower_bound, upper_bound, name);
        EXECUTE format(
            'ALTER TABLE detections ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)',
            name, lower_bound, upper_bound);
    END LOOP;
END
$$;

CREATE FUNCTION detection_document(detection detections) RETURNS json
LANGUAGE sql STABLE
RETURN json_build_object(
    'id', detection.id,
    'site', detection.site,
    'camera', detection.camera,
    'node', detection.node,
    'pattern', detection.pattern,
    'operating_mode', detection.operating_mode,
    'confidence', detection.confidence,
    'occurred_at', rfc3339(detection.occurred_at),
    'received_at', rfc3339(detection.received_at),
    'ended_at', rfc3339(detection.ended_at),
    'model', detection.model,
    'alarm', detection.alarm,
    'outcome', CASE WHEN detection.counted_only THEN 'counted_only' ELSE 'created' END,
    'late', detection.late,
    'boxes', detection.payload -> 'boxes',
    'keypoints', detection.payload -> 'keypoints',
    'track', detection.payload -> 'track',
    'recording', detection.payload -> 'recording',
    'attributes', detection.payload -> 'attributes');

-- The holder appears by token id alone: the journal keeps this document, and a person's name
-- must stay erasable. Readers get the name from with_staff_names.
CREATE FUNCTION alarm_document(alarm alarms) RETURNS json
LANGUAGE sql STABLE
RETURN json_build_object(
    'id', alarm.id,
    'site', alarm.site,
    'area', alarm.area,
    'camera', alarm.camera,
    'pattern', alarm.pattern,
    'operating_mode', alarm.operating_mode,
    'model', nullif(alarm.model, ''),
    'condition', alarm.condition,
    'handling', alarm.handling,
    'suppression', 'none',
    'verdict', alarm.verdict,
    'dismissal_reason', alarm.dismissal_reason,
    'priority', alarm.priority,
    'raised_at', rfc3339(alarm.raised_at),
    'received_at', rfc3339(alarm.received_at),
    'last_detection_at', rfc3339(alarm.last_detection_at),
    'cleared_at', rfc3339(alarm.cleared_at),
    'detection_count', alarm.detection_count,
    'max_confidence', alarm.max_confidence,
    'late', alarm.late,
    'acknowledged_by',
        CASE WHEN alarm.acknowledged_by IS NOT NULL
            THEN json_build_object('token', alarm.acknowledged_by) END,
    'acknowledged_at', rfc3339(alarm.acknowledged_at),
    'closed_at', rfc3339(alarm.closed_at));

CREATE FUNCTION with_staff_names(document json) RETURNS json
LANGUAGE sql STABLE
RETURN CASE
    WHEN document #>> '{acknowledged_by,token}' IS NULL THEN document
    ELSE jsonb_set(
        document::jsonb,
        '{acknowledged_by,name}',
        coalesce(
            (SELECT to_jsonb(name) FROM tokens
                WHERE id = (document #>> '{acknowledged_by,token}')::uuid),
            'null'))::json
END;

-- Clears every alarm that no detection under way can extend any more. Any instance may call it:
-- what another one holds is skipped. Returns how many it cleared.
CREATE FUNCTION clear_due_alarms() RETURNS bigint
LANGUAGE plpgsql AS $$
<<clearing>>
DECLARE
    change bigint;
    cleared bigint;
BEGIN
    PERFORM FROM alarms WHERE condition = 'active' AND clears_after < clock_timestamp() LIMIT 1;
    IF NOT FOUND THEN
        RETURN 0;
    END IF;
    change := nextval('changes');
    WITH due AS (
        SELECT a.site, a.id
        FROM alarms a
        JOIN correlation c USING (site, camera, pattern, operating_mode, model)
        WHERE a.condition = 'active' AND a.clears_after < clock_timestamp()
        ORDER BY a.clears_after
        LIMIT 1000
        FOR UPDATE OF c, a SKIP LOCKED
    ), changed AS (
        UPDATE alarms a
        SET condition = 'cleared', cleared_at = a.last_detection_at + a.quiet,
            extension_pending = false
        FROM due
        WHERE a.site = due.site AND a.id = due.id
        RETURNING a.site, a.id, a.cleared_at, alarm_document(a) AS document
    )
    INSERT INTO journal (change, ordinal, event, site, subject, occurred_at, document)
    SELECT clearing.change, row_number() OVER (ORDER BY cleared_at, id), 'alarm.cleared',
        site, id, cleared_at, document
    FROM changed;
    GET DIAGNOSTICS cleared = ROW_COUNT;
    IF cleared > 0 THEN
        PERFORM append_position(change);
    END IF;
    RETURN cleared;
END
$$;

-- The trailing edge of alarm.extended: journals extensions that were held back for a second.
CREATE FUNCTION journal_pending_extensions() RETURNS bigint
LANGUAGE plpgsql AS $$
<<extending>>
DECLARE
    change bigint;
    journaled bigint;
BEGIN
    PERFORM FROM alarms
    WHERE extension_pending AND extended_at <= clock_timestamp() - interval '1 second' LIMIT 1;
    IF NOT FOUND THEN
        RETURN 0;
    END IF;
    change := nextval('changes');
    WITH due AS (
        SELECT a.site, a.id
        FROM alarms a
        JOIN correlation c USING (site, camera, pattern, operating_mode, model)
        WHERE a.extension_pending AND a.extended_at <= clock_timestamp() - interval '1 second'
        ORDER BY a.extended_at
        LIMIT 1000
        FOR UPDATE OF c, a SKIP LOCKED
    ), changed AS (
        UPDATE alarms a
        SET extension_pending = false, extended_at = clock_timestamp()
        FROM due
        WHERE a.site = due.site AND a.id = due.id
        RETURNING a.site, a.id, a.last_detection_at, alarm_document(a) AS document
    )
    INSERT INTO journal (change, ordinal, event, site, subject, occurred_at, document)
    SELECT extending.change, row_number() OVER (ORDER BY last_detection_at, id),
        'alarm.extended', site, id, last_detection_at, document
    FROM changed;
    GET DIAGNOSTICS journaled = ROW_COUNT;
    IF journaled > 0 THEN
        PERFORM append_position(change);
    END IF;
    RETURN journaled;
END
$$;
