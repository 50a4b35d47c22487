-- What the nodes tell of themselves, and what follows: when each camera was analysed for what.
-- Without it zero alarms and a dead camera would look alike.

-- A table whose row type a function uses takes no column with a default; it is made anew below.
DROP FUNCTION node_document(nodes);

ALTER TABLE nodes
    ADD model_version text,
    -- How often the node is to send a heartbeat.
    ADD heartbeat_seconds integer NOT NULL DEFAULT 10 CHECK (heartbeat_seconds BETWEEN 1 AND 3600),
    -- NULL: it has never sent one.
    ADD last_heartbeat_at timestamptz,
    -- What the answer to the last heartbeat said; until then its statuses are known.
    ADD heartbeat_due_at timestamptz,
    -- It has missed three heartbeats while there was somebody to take them.
    ADD lost boolean NOT NULL DEFAULT false,
    ADD queue_length bigint,
    -- Of the last heartbeat and the configuration that it was read by: one that is the same again
    -- changes no status. NULL: it has to be read anew.
    ADD report_hash bytea,
    ADD report_revision bigint,
    ADD CHECK ((last_heartbeat_at IS NULL) = (heartbeat_due_at IS NULL)),
    -- A heartbeat updates the row in place: it changes no indexed column, and finds room nearby.
    SET (fillfactor = 50);

-- Whoever asks which nodes are lost must not read all sites' nodes.
CREATE INDEX nodes_lost ON nodes (site, created_at, id) WHERE lost;

-- Heartbeats are no change of the configuration: ingest would forget all cameras for each.
DROP TRIGGER configuration_changed ON nodes;
CREATE TRIGGER configuration_changed
    AFTER INSERT OR UPDATE OF site, name, model, model_version ON nodes
    FOR EACH STATEMENT EXECUTE FUNCTION count_configuration_change();

-- The model of a node as a detection carries it that names none.
CREATE FUNCTION node_model(node nodes) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN concat_ws(' ', node.model, node.model_version);

CREATE FUNCTION node_document(node nodes) RETURNS json
LANGUAGE sql STABLE
RETURN json_build_object(
    'id', node.id,
    'site', node.site,
    'name', node.name,
    'model', node.model,
    'model_version', node.model_version,
    'heartbeat_seconds', node.heartbeat_seconds,
    'last_heartbeat_at', rfc3339(node.last_heartbeat_at),
    'lost', node.lost,
    'queue_length', node.queue_length,
    'created_at', rfc3339(node.created_at));

-- What a node said of a camera and a pattern, from when to when: one row until it says something
-- else. While ends_at is NULL it is known up to the node's heartbeat_due_at.
CREATE TABLE analysis_intervals (
    site text NOT NULL,
    camera uuid NOT NULL,
    pattern text NOT NULL,
    node uuid NOT NULL,
    starts_at timestamptz NOT NULL,
    ends_at timestamptz,
    status text NOT NULL CHECK (status IN ('analysing', 'blind', 'off')),
    model text NOT NULL,
    -- Of one node they never overlap, so those that touch an instant are found from its start.
    PRIMARY KEY (site, camera, pattern, node, starts_at),
    FOREIGN KEY (site, camera) REFERENCES cameras (site, id),
    FOREIGN KEY (site, node) REFERENCES nodes (site, id),
    CHECK (ends_at >= starts_at)
);
GRANT SELECT, INSERT, UPDATE ON analysis_intervals TO leitstand;
CREATE UNIQUE INDEX analysis_intervals_open
    ON analysis_intervals (node, camera, pattern) WHERE ends_at IS NULL;

-- Takes a node's heartbeat. One that says what the last one said updates the node's row and
-- nothing else; only what changed is journaled, and then the change has a position.
--
-- Of an entry `names` has the camera as sent, `ids` the same if it is an id, `patterns` NULL for
-- all permitted ones. `fingerprint` tells whether the entries are those of the last heartbeat.
-- `refused` and `reasons` name the entries (from 1) that could not be taken. No row: no such node.
CREATE FUNCTION record_heartbeat(
    node uuid, at timestamptz, sent_at timestamptz, queue_length bigint,
    names text[], ids uuid[], patterns text[], statuses text[], fingerprint bytea,
    actor uuid, role text, request_id text
) RETURNS TABLE (
    received_at timestamptz, due_at timestamptz, seconds integer,
    refused integer[], reasons text[], is_journaled boolean)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
<<beat>>
DECLARE
    sender nodes;
    heard_at timestamptz;
    due timestamptz;
    current_revision bigint;
    has_gap boolean;
    is_same boolean;
    sender_model text;
    refused_entries integer[] := '{}';
    refusals text[] := '{}';
    cameras_now uuid[];
    patterns_now text[];
    statuses_now text[];
    changed_cameras uuid[] := '{}';
    changed_patterns text[] := '{}';
    opened_cameras uuid[];
    opened_patterns text[];
    change bigint;
    ordinal integer := 0;
BEGIN
    SELECT * INTO sender FROM nodes n WHERE n.id = record_heartbeat.node FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    -- Two heartbeats may overtake each other, and the clock may be set back.
    heard_at := greatest(record_heartbeat.at, sender.last_heartbeat_at);
    due := heard_at + make_interval(secs => sender.heartbeat_seconds);
    SELECT c.revision INTO current_revision FROM configuration c;
    -- After more than three intervals nobody knows what was in between, whoever was away.
    has_gap := coalesce(
        heard_at > sender.last_heartbeat_at
            + 3 * (sender.heartbeat_due_at - sender.last_heartbeat_at), false);
    is_same := NOT sender.lost AND NOT has_gap
        AND sender.report_hash = record_heartbeat.fingerprint
        AND sender.report_revision = current_revision
        -- What "all permitted patterns" means changes by the clock, too.
        AND NOT EXISTS (
            SELECT FROM site_patterns p
            WHERE p.site = sender.site AND (
                (p.valid_from > sender.last_heartbeat_at AND p.valid_from <= heard_at)
                OR (p.valid_to > sender.last_heartbeat_at AND p.valid_to <= heard_at)));
    IF is_same THEN
        UPDATE nodes n
        SET last_heartbeat_at = heard_at, heartbeat_due_at = due,
            queue_length = record_heartbeat.queue_length
        WHERE n.id = sender.id;
        RETURN QUERY SELECT heard_at, due, sender.heartbeat_seconds, refused_entries, refusals,
            false;
        RETURN;
    END IF;

    sender_model := node_model(sender);
    WITH sent AS (
        SELECT s.*, camera.id AS camera
        FROM unnest(names, ids, patterns, statuses)
            WITH ORDINALITY AS s (name, id, pattern, status, place)
        LEFT JOIN LATERAL (
            SELECT c.id FROM cameras c
            WHERE c.site = sender.site AND (c.id = s.id OR c.key = s.name)
            -- A key may have passed from a camera that was removed to another.
            ORDER BY (c.id = s.id) DESC NULLS LAST, c.removed_at DESC NULLS FIRST LIMIT 1
        ) camera ON true
    ), permitted AS (
        SELECT p.pattern FROM site_patterns p
        WHERE p.site = sender.site
            AND (p.valid_from IS NULL OR p.valid_from <= heard_at)
            AND (p.valid_to IS NULL OR p.valid_to > heard_at)
    ), judged AS (
        SELECT s.place, s.camera, s.pattern, s.status,
            CASE
                WHEN s.camera IS NULL THEN 'heartbeat.unknown-camera'
                WHEN row_number() OVER (PARTITION BY s.camera, s.pattern ORDER BY s.place) > 1
                    THEN 'heartbeat.repeated-camera'
                WHEN s.pattern IS NOT NULL
                    AND NOT EXISTS (SELECT FROM permitted p WHERE p.pattern = s.pattern)
                    THEN 'heartbeat.pattern-not-permitted'
            END AS reason
        FROM sent s
    ), taken AS (
        -- An entry for one pattern precedes the one for all.
        SELECT DISTINCT ON (j.camera, p.pattern) j.camera, p.pattern, j.status
        FROM judged j
        JOIN permitted p ON j.pattern IS NULL OR p.pattern = j.pattern
        WHERE j.reason IS NULL
        ORDER BY j.camera, p.pattern, j.pattern NULLS LAST
    )
    SELECT
        (SELECT coalesce(array_agg(j.place::integer ORDER BY j.place), '{}') FROM judged j
            WHERE j.reason IS NOT NULL),
        (SELECT coalesce(array_agg(j.reason ORDER BY j.place), '{}') FROM judged j
            WHERE j.reason IS NOT NULL),
        (SELECT coalesce(array_agg(t.camera ORDER BY t.camera, t.pattern), '{}') FROM taken t),
        (SELECT coalesce(array_agg(t.pattern ORDER BY t.camera, t.pattern), '{}') FROM taken t),
        (SELECT coalesce(array_agg(t.status ORDER BY t.camera, t.pattern), '{}') FROM taken t)
    INTO refused_entries, refusals, cameras_now, patterns_now, statuses_now;

    -- What was open before a gap was known up to one interval after its last heartbeat.
    IF has_gap THEN
        UPDATE analysis_intervals i SET ends_at = sender.heartbeat_due_at
        WHERE i.node = sender.id AND i.ends_at IS NULL;
    END IF;
    WITH closed AS (
        UPDATE analysis_intervals i SET ends_at = heard_at
        WHERE i.node = sender.id AND i.ends_at IS NULL
            AND NOT EXISTS (
                SELECT FROM unnest(cameras_now, patterns_now, statuses_now)
                    AS now (camera, pattern, status)
                WHERE now.camera = i.camera AND now.pattern = i.pattern
                    AND now.status = i.status AND i.model = sender_model)
        RETURNING i.camera, i.pattern
    )
    SELECT coalesce(array_agg(c.camera), '{}'), coalesce(array_agg(c.pattern), '{}')
    INTO changed_cameras, changed_patterns FROM closed c;
    WITH opened AS (
        INSERT INTO analysis_intervals AS i
            (site, camera, pattern, node, starts_at, status, model)
        SELECT sender.site, now.camera, now.pattern, sender.id, heard_at, now.status, sender_model
        FROM unnest(cameras_now, patterns_now, statuses_now) AS now (camera, pattern, status)
        WHERE NOT EXISTS (
            SELECT FROM analysis_intervals known
            WHERE known.node = sender.id AND known.camera = now.camera
                AND known.pattern = now.pattern AND known.ends_at IS NULL)
        -- Of two heartbeats of one instant the second counts.
        ON CONFLICT (site, camera, pattern, node, starts_at) DO UPDATE
            SET status = excluded.status, model = excluded.model, ends_at = NULL
        RETURNING i.camera, i.pattern
    )
    SELECT coalesce(array_agg(o.camera), '{}'), coalesce(array_agg(o.pattern), '{}')
    INTO opened_cameras, opened_patterns FROM opened o;
    changed_cameras := changed_cameras || opened_cameras;
    changed_patterns := changed_patterns || opened_patterns;

    UPDATE nodes n
    SET last_heartbeat_at = heard_at, heartbeat_due_at = due, lost = false,
        queue_length = record_heartbeat.queue_length,
        -- The refusals must be told again.
        report_hash = CASE WHEN refusals = '{}' THEN record_heartbeat.fingerprint END,
        report_revision = current_revision
    WHERE n.id = sender.id;

    IF sender.lost OR changed_cameras <> '{}' THEN
        change := nextval('changes');
    END IF;
    IF sender.lost THEN
        ordinal := ordinal + 1;
        INSERT INTO journal (change, ordinal, event, site, subject, occurred_at, actor, role,
            request_id, document)
        SELECT beat.change, beat.ordinal, 'node.returned', n.site, n.id, heard_at,
            record_heartbeat.actor, record_heartbeat.role, record_heartbeat.request_id,
            node_document(n)
        FROM nodes n WHERE n.id = sender.id;
    END IF;
    IF changed_cameras <> '{}' THEN
        ordinal := ordinal + 1;
        INSERT INTO journal (change, ordinal, event, site, subject, occurred_at, actor, role,
            request_id, document)
        SELECT beat.change, beat.ordinal, 'node.status-changed', n.site, n.id,
            least(record_heartbeat.sent_at, heard_at), record_heartbeat.actor,
            record_heartbeat.role, record_heartbeat.request_id,
            node_status_document(n, changed_cameras, changed_patterns)
        FROM nodes n WHERE n.id = sender.id;
    END IF;
    IF change IS NOT NULL THEN
        PERFORM append_position(change);
    END IF;
    RETURN QUERY SELECT heard_at, due, sender.heartbeat_seconds, refused_entries, refusals,
        change IS NOT NULL;
END
$$;

-- A node and what has just changed of its cameras: patterns by camera and status, which is NULL
-- for those of which it says nothing any more.
CREATE FUNCTION node_status_document(node nodes, cameras uuid[], patterns text[]) RETURNS json
LANGUAGE sql STABLE
RETURN (
    WITH changed AS (
        SELECT DISTINCT c.camera, c.pattern, i.status
        FROM unnest(cameras, patterns) AS c (camera, pattern)
        LEFT JOIN analysis_intervals i
            ON i.node = (node_status_document.node).id AND i.camera = c.camera
                AND i.pattern = c.pattern AND i.ends_at IS NULL
    ), by_status AS (
        SELECT camera, status, json_agg(pattern ORDER BY pattern) AS patterns
        FROM changed GROUP BY camera, status
    )
    SELECT (node_document(node)::jsonb || jsonb_build_object(
        'changes', jsonb_agg(
            jsonb_build_object('camera', camera, 'status', status, 'patterns', patterns)
            ORDER BY camera, status)))::json
    FROM by_status);

-- Reports each node that has missed three heartbeats, and ends what it said of its cameras where
-- knowledge of it ends. Any instance may call it: what another one holds is skipped.
--
-- `serving_since`: since when the caller has been able to take heartbeats. A node did not miss
-- what nobody could take. Returns how many it reported.
CREATE FUNCTION mark_lost_nodes(
    serving_since timestamptz, at timestamptz DEFAULT clock_timestamp()
) RETURNS bigint
LANGUAGE plpgsql AS $$
#variable_conflict use_column
<<losing>>
DECLARE
    change bigint;
    reported bigint;
BEGIN
    PERFORM FROM nodes n
    WHERE NOT n.lost AND mark_lost_nodes.at
        > greatest(n.last_heartbeat_at, mark_lost_nodes.serving_since)
            + 3 * (n.heartbeat_due_at - n.last_heartbeat_at)
        AND n.last_heartbeat_at IS NOT NULL
    LIMIT 1;
    IF NOT FOUND THEN
        RETURN 0;
    END IF;
    change := nextval('changes');
    WITH due AS (
        SELECT n.site, n.id,
            greatest(n.last_heartbeat_at, mark_lost_nodes.serving_since)
                + 3 * (n.heartbeat_due_at - n.last_heartbeat_at) AS lost_at
        FROM nodes n
        WHERE NOT n.lost AND mark_lost_nodes.at
            > greatest(n.last_heartbeat_at, mark_lost_nodes.serving_since)
                + 3 * (n.heartbeat_due_at - n.last_heartbeat_at)
            AND n.last_heartbeat_at IS NOT NULL
        ORDER BY n.id
        LIMIT 1000
        FOR NO KEY UPDATE SKIP LOCKED
    ), changed AS (
        UPDATE nodes n SET lost = true, report_hash = NULL
        FROM due WHERE n.site = due.site AND n.id = due.id
        RETURNING n.site, n.id, n.heartbeat_due_at, due.lost_at, node_document(n) AS document
    ), ended AS (
        UPDATE analysis_intervals i SET ends_at = changed.heartbeat_due_at
        FROM changed WHERE i.node = changed.id AND i.ends_at IS NULL
    )
    INSERT INTO journal (change, ordinal, event, site, subject, occurred_at, document)
    SELECT losing.change, row_number() OVER (ORDER BY lost_at, id), 'node.lost', site, id,
        lost_at, document
    FROM changed;
    GET DIAGNOSTICS reported = ROW_COUNT;
    IF reported > 0 THEN
        PERFORM append_position(change);
    END IF;
    RETURN reported;
END
$$;

-- How a camera was watched for each of several patterns: of each, parts without gap or overlap over
-- the asked range, as far as the camera was there. A NULL among the patterns stands for the camera
-- as a whole, whatever the patterns. Of several states at once the first counts of off_by_order,
-- off_by_schedule, analysed, blind, off, unknown. `models` are those that looked, several where
-- nodes run different ones; NULL where none did. Hours and areas are those that were set then.
CREATE FUNCTION coverage_of_patterns(
    site text, camera uuid, patterns text[], lower timestamptz, upper timestamptz
) RETURNS TABLE (
    pattern text, starts_at timestamptz, ends_at timestamptz, state text, models text[])
LANGUAGE plpgsql STABLE AS $$
#variable_conflict use_column
<<watching>>
DECLARE
    zone text;
    life tstzrange;
    by_order tstzmultirange;
    hours tstzmultirange;
    read_patterns text[] := patterns;
BEGIN
    SELECT s.time_zone,
        tstzrange(c.installed_at, c.removed_at)
            * tstzrange(coverage_of_patterns.lower, coverage_of_patterns.upper)
    INTO zone, life
    FROM cameras c JOIN sites s ON s.id = c.site
    WHERE c.site = coverage_of_patterns.site AND c.id = coverage_of_patterns.camera
        AND coverage_of_patterns.lower < coverage_of_patterns.upper;
    IF NOT FOUND OR isempty(life) THEN
        RETURN;
    END IF;
    IF array_position(read_patterns, NULL) IS NOT NULL THEN
        -- Nodes report nothing that was never permitted.
        read_patterns := ARRAY(
            SELECT DISTINCT p.pattern FROM pattern_periods p
            WHERE p.site = coverage_of_patterns.site);
    END IF;
    SELECT coalesce(range_agg(held.span * tstzrange(i.starts_at, i.ends_at)), '{}')
    INTO by_order
    FROM (
        SELECT p.area, tstzrange(p.valid_from, p.valid_to) * life AS span FROM camera_periods p
        WHERE p.site = coverage_of_patterns.site AND p.camera = coverage_of_patterns.camera
    ) held
    JOIN interruptions i ON i.site = coverage_of_patterns.site
        AND tstzrange(i.starts_at, i.ends_at) && held.span
        AND (i.camera = coverage_of_patterns.camera OR i.area = held.area
            OR (i.camera IS NULL AND i.area IS NULL));
    SELECT coalesce(range_agg(tstzrange(h.starts_at, h.ends_at)), '{}') INTO hours
    FROM camera_periods p
    CROSS JOIN LATERAL schedule_intervals(
        p.operating_hours, zone, greatest(lower(life), p.valid_from),
        least(upper(life), p.valid_to)) h
    WHERE p.site = coverage_of_patterns.site AND p.camera = coverage_of_patterns.camera
        AND tstzrange(p.valid_from, p.valid_to) && life;

    RETURN QUERY
    WITH asked AS (
        SELECT DISTINCT a.pattern FROM unnest(patterns) AS a (pattern)
    ), reports AS MATERIALIZED (
        -- Each node's intervals from the one that the range begins in.
        SELECT a.pattern, i.status, i.model,
            range_agg(
                tstzrange(
                    i.starts_at,
                    greatest(i.starts_at, coalesce(i.ends_at, n.heartbeat_due_at))) * life)
                AS spans
        FROM nodes n
        CROSS JOIN unnest(read_patterns) AS r (pattern)
        CROSS JOIN LATERAL (
            SELECT * FROM analysis_intervals a
            WHERE a.site = coverage_of_patterns.site
                AND a.camera = coverage_of_patterns.camera
                AND a.pattern = r.pattern AND a.node = n.id
                AND a.starts_at < upper(life)
                AND a.starts_at >= coalesce(
                    (SELECT max(f.starts_at) FROM analysis_intervals f
                        WHERE f.site = coverage_of_patterns.site
                            AND f.camera = coverage_of_patterns.camera
                            AND f.pattern = r.pattern AND f.node = n.id
                            AND f.starts_at <= lower(life)),
                    '-infinity')
        ) i
        JOIN asked a ON a.pattern IS NULL OR a.pattern = r.pattern
        WHERE n.site = coverage_of_patterns.site
        GROUP BY a.pattern, i.status, i.model
    ), bounds AS (
        SELECT a.pattern, unnest(ARRAY[lower(spans.span), upper(spans.span)]) AS at
        FROM asked a
        CROSS JOIN (
            SELECT life AS span
            UNION ALL SELECT unnest(by_order)
            UNION ALL SELECT unnest(hours)
        ) spans
        UNION
        SELECT r.pattern, unnest(ARRAY[lower(r.span), upper(r.span)])
        FROM (SELECT pattern, unnest(spans) AS span FROM reports) r
    ), parts AS (
        SELECT b.pattern, b.at AS starts_at,
            lead(b.at) OVER (PARTITION BY b.pattern ORDER BY b.at) AS ends_at
        FROM bounds b
    ), judged AS (
        SELECT p.pattern, p.starts_at, p.ends_at,
            CASE
                WHEN by_order @> p.starts_at THEN 'off_by_order'
                WHEN NOT hours @> p.starts_at THEN 'off_by_schedule'
                ELSE coalesce(seen.state, 'unknown')
            END AS state,
            seen.models
        FROM parts p
        LEFT JOIN LATERAL (
            SELECT
                CASE r.status WHEN 'analysing' THEN 'analysed' ELSE r.status END AS state,
                array_agg(DISTINCT r.model ORDER BY r.model) AS models
            FROM reports r
            WHERE r.pattern IS NOT DISTINCT FROM p.pattern AND r.spans @> p.starts_at
            GROUP BY r.status
            ORDER BY array_position(ARRAY['analysing', 'blind', 'off'], r.status)
            LIMIT 1
        ) seen ON true
        WHERE p.ends_at IS NOT NULL
    ), named AS (
        SELECT j.pattern, j.starts_at, j.ends_at, j.state,
            CASE WHEN j.state IN ('analysed', 'blind') THEN j.models END AS models
        FROM judged j
    ), numbered AS (
        SELECT n.*,
            count(*) FILTER (WHERE n.is_new) OVER (PARTITION BY n.pattern ORDER BY n.starts_at)
                AS run
        FROM (
            SELECT n.*, (n.state, n.models) IS DISTINCT FROM
                (lag(n.state) OVER by_time, lag(n.models) OVER by_time) AS is_new
            FROM named n
            WINDOW by_time AS (PARTITION BY n.pattern ORDER BY n.starts_at)
        ) n
    )
    SELECT n.pattern, min(n.starts_at), max(n.ends_at), n.state, n.models
    FROM numbered n
    GROUP BY n.pattern, n.run, n.state, n.models
    ORDER BY n.pattern, min(n.starts_at);
END
$$;

-- How a camera was watched for a pattern.
CREATE FUNCTION coverage(
    site text, camera uuid, pattern text, lower timestamptz, upper timestamptz
) RETURNS TABLE (starts_at timestamptz, ends_at timestamptz, state text, models text[])
LANGUAGE sql STABLE AS $$
    SELECT c.starts_at, c.ends_at, c.state, c.models
    FROM coverage_of_patterns(
        coverage.site, coverage.camera, ARRAY[coverage.pattern], coverage.lower, coverage.upper) c
    ORDER BY c.starts_at
$$;

-- Whether a camera was analysed for a pattern at an instant.
CREATE FUNCTION was_analysed(site text, camera uuid, pattern text, at timestamptz)
RETURNS boolean
LANGUAGE sql STABLE AS $$
    SELECT EXISTS (
        SELECT FROM coverage(
            was_analysed.site, was_analysed.camera, was_analysed.pattern,
            was_analysed.at, was_analysed.at + interval '1 microsecond') c
        WHERE c.state = 'analysed')
$$;

-- A page of the coverage of several cameras and patterns: the newest camera first, of a camera by
-- pattern, of a pattern the newest part first. Only what the page needs is computed.
--
-- `patterns` is the catalogue or what was asked for; shown are those that the site permitted at
-- some time or a node once looked for. `after_*` is the last row of the page before.
CREATE FUNCTION coverage_page(
    site text, camera uuid, patterns text[], lower timestamptz, upper timestamptz,
    after_camera uuid, after_pattern text, after_time timestamptz, rows_max integer
) RETURNS TABLE (
    camera_id uuid, pattern_name text, starts_at timestamptz, ends_at timestamptz, state text,
    models text[])
LANGUAGE plpgsql STABLE AS $$
#variable_conflict use_column
DECLARE
    pair record;
    found_count integer := 0;
    pair_count integer;
BEGIN
    FOR pair IN
        SELECT c.site, c.id AS camera, p.pattern
        FROM cameras c
        CROSS JOIN unnest(coverage_page.patterns) AS p (pattern)
        WHERE (coverage_page.site IS NULL OR c.site = coverage_page.site)
            AND (coverage_page.camera IS NULL OR c.id = coverage_page.camera)
            AND (after_camera IS NULL OR c.id < after_camera
                OR (c.id = after_camera AND p.pattern >= after_pattern))
            AND (
                EXISTS (SELECT FROM pattern_periods s
                    WHERE s.site = c.site AND s.pattern = p.pattern)
                OR EXISTS (SELECT FROM analysis_intervals i
                    WHERE i.site = c.site AND i.camera = c.id AND i.pattern = p.pattern))
        ORDER BY c.id DESC, p.pattern
    LOOP
        RETURN QUERY
        SELECT pair.camera, pair.pattern, v.starts_at, v.ends_at, v.state, v.models
        FROM coverage(
            pair.site, pair.camera, pair.pattern, coverage_page.lower,
            CASE WHEN pair.camera = after_camera AND pair.pattern = after_pattern
                THEN least(coverage_page.upper, after_time) ELSE coverage_page.upper END) v
        ORDER BY v.starts_at DESC
        LIMIT rows_max - found_count;
        GET DIAGNOSTICS pair_count = ROW_COUNT;
        found_count := found_count + pair_count;
        EXIT WHEN found_count >= rows_max;
    END LOOP;
END
$$;
