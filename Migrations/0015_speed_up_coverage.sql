-- What a site's cameras were counted by each hour took seconds, and where the database compiles
-- long statements (jit) most of a minute: what is due was compared with itself row by row, each
-- camera's statements were planned anew, and how the tables were joined was left to estimates.
-- The functions say the same as before.

CREATE OR REPLACE FUNCTION coverage_of_patterns(
    site text, camera uuid, patterns text[], lower timestamptz, upper timestamptz
) RETURNS TABLE (
    pattern text, starts_at timestamptz, ends_at timestamptz, state text, models text[])
LANGUAGE plpgsql STABLE ROWS 20
SET jit = off SET plan_cache_mode = force_generic_plan AS $$
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
        -- Each node's intervals from the one that the range begins in. OFFSET: looked up by node
        -- and pattern, or else all that the camera ever had would be read.
        SELECT a.pattern, i.status, i.model,
            range_agg(
                tstzrange(
                    i.starts_at,
                    greatest(i.starts_at, coalesce(i.ends_at, n.heartbeat_due_at))) * life)
                AS spans
        FROM nodes n
        CROSS JOIN unnest(read_patterns) AS r (pattern)
        CROSS JOIN LATERAL (
            SELECT coalesce(
                (SELECT max(f.starts_at) FROM analysis_intervals f
                    WHERE f.site = coverage_of_patterns.site
                        AND f.camera = coverage_of_patterns.camera
                        AND f.pattern = r.pattern AND f.node = n.id
                        AND f.starts_at <= lower(life)),
                '-infinity') AS starts_at
            OFFSET 0
        ) first
        CROSS JOIN LATERAL (
            SELECT a.starts_at, a.ends_at, a.status, a.model FROM analysis_intervals a
            WHERE a.site = coverage_of_patterns.site
                AND a.camera = coverage_of_patterns.camera
                AND a.pattern = r.pattern AND a.node = n.id
                AND a.starts_at >= first.starts_at AND a.starts_at < upper(life)
            OFFSET 0
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

CREATE OR REPLACE FUNCTION coverage_hours(
    site text, camera uuid, lower timestamptz, upper timestamptz)
RETURNS TABLE (
    covered_from timestamptz, area uuid, monitored boolean, patterns text[], state text,
    models text[], seconds bigint)
LANGUAGE plpgsql STABLE ROWS 20 SET jit = off SET plan_cache_mode = force_generic_plan AS $$
#variable_conflict use_column
DECLARE
    zone CONSTANT text := (SELECT s.time_zone FROM sites s WHERE s.id = coverage_hours.site);
BEGIN
    RETURN QUERY
    WITH permitted AS MATERIALIZED (
        SELECT p.pattern,
            tstzrange(p.listed_from, p.listed_to) * tstzrange(p.valid_from, p.valid_to) AS span
        FROM pattern_periods p WHERE p.site = coverage_hours.site
        UNION ALL
        SELECT NULL, tstzrange(NULL, NULL)
    ), places AS MATERIALIZED (
        SELECT k.area, a.monitored,
            tstzrange(k.valid_from, k.valid_to) * tstzrange(a.valid_from, a.valid_to) AS span
        FROM camera_periods k
        JOIN area_periods a ON a.site = k.site AND a.area = k.area
        WHERE k.site = coverage_hours.site AND k.camera = coverage_hours.camera
    ), covered AS MATERIALIZED (
        SELECT c.pattern, c.state, c.models, tstzrange(c.starts_at, c.ends_at) AS span
        FROM coverage_of_patterns(
            coverage_hours.site, coverage_hours.camera,
            ARRAY(SELECT DISTINCT pattern FROM permitted), coverage_hours.lower,
            coverage_hours.upper) c
    ), placed AS MATERIALIZED (
        SELECT c.pattern, c.state, c.models, h.area, h.monitored, c.span * h.span * p.span AS span
        FROM covered c
        JOIN places h ON h.span && c.span
        JOIN permitted p ON p.pattern IS NOT DISTINCT FROM c.pattern
    ), pieces AS (
        SELECT p.pattern, p.state, p.models, p.area, p.monitored, piece.starts_at,
            extract(epoch FROM
                date_trunc('second', least(upper(p.span), piece.starts_at + step.length))
                - date_trunc('second', greatest(lower(p.span), piece.starts_at)))::bigint
                AS seconds
        FROM placed p
        CROSS JOIN LATERAL generate_series(
            full_hour(lower(p.span)), upper(p.span) - interval '1 microsecond',
            interval '1 hour') AS hour (starts_at)
        CROSS JOIN LATERAL (
            SELECT CASE
                WHEN extract(minute FROM hour.starts_at AT TIME ZONE zone) = 0
                    AND extract(minute FROM
                        (hour.starts_at + interval '1 hour') AT TIME ZONE zone) = 0
                THEN interval '1 hour' ELSE interval '15 minutes' END AS length
        ) step
        CROSS JOIN LATERAL generate_series(
            hour.starts_at, hour.starts_at + interval '59 minutes', step.length)
            AS piece (starts_at)
        WHERE NOT isempty(p.span) AND piece.starts_at < upper(p.span)
            AND piece.starts_at + step.length > lower(p.span)
    ), summed AS MATERIALIZED (
        SELECT p.starts_at, p.area, p.monitored, p.pattern, p.state, p.models,
            sum(p.seconds)::bigint AS seconds
        FROM pieces p
        GROUP BY p.starts_at, p.area, p.monitored, p.pattern, p.state, p.models
        HAVING sum(p.seconds) > 0
    )
    SELECT s.starts_at, s.area, s.monitored, array_agg(s.pattern ORDER BY s.pattern), s.state,
        s.models, s.seconds
    FROM summed s
    WHERE s.pattern IS NOT NULL
    GROUP BY s.starts_at, s.area, s.monitored, s.state, s.models, s.seconds
    UNION ALL
    SELECT s.starts_at, s.area, s.monitored, NULL, s.state, s.models, s.seconds
    FROM summed s
    WHERE s.pattern IS NULL;
END
$$;

CREATE OR REPLACE FUNCTION record_coverage() RETURNS boolean
LANGUAGE plpgsql SET jit = off AS $$
<<recording>>
DECLARE
    -- Of cameras together, so that others wait for a moment only.
    hours_max CONSTANT integer := 2000;
    length_max CONSTANT interval := '7 days';
    taken coverage_due[];
    differences coverage_ledger[];
    completed coverage_recordings[];
    change bigint;
    position bigint;
    is_left boolean;
BEGIN
    IF NOT pg_try_advisory_xact_lock(7236015) THEN
        RETURN false;
    END IF;
    WITH wide AS (
        DELETE FROM coverage_due WHERE camera IS NULL RETURNING *
    )
    INSERT INTO coverage_due (site, camera, lower, upper)
    SELECT w.site, c.id, w.lower, w.upper
    FROM wide w
    JOIN cameras c ON c.site = w.site
        AND tstzrange(c.installed_at, c.removed_at) && tstzrange(w.lower, w.upper);
    WITH next AS (
        DELETE FROM coverage_due d
        WHERE d.ordinal <= (
            SELECT max(r.ordinal)
            FROM (
                SELECT o.ordinal, sum(extract(epoch FROM least(o.upper - o.lower, length_max)))
                    OVER (ORDER BY o.ordinal ROWS UNBOUNDED PRECEDING EXCLUDE CURRENT ROW)
                    AS before
                FROM (SELECT * FROM coverage_due ORDER BY ordinal LIMIT hours_max) o
            ) r
            WHERE coalesce(r.before, 0) < hours_max * 3600)
        RETURNING d.*
    )
    SELECT array_agg(n) INTO taken FROM next n;
    INSERT INTO coverage_due (site, camera, lower, upper)
    SELECT t.site, t.camera, t.lower + length_max, t.upper FROM unnest(taken) t
    WHERE t.lower + length_max < t.upper;
    is_left := EXISTS (SELECT FROM coverage_due);

    WITH job AS (
        SELECT merged.site, merged.camera, lower(merged.span) AS lower, upper(merged.span) AS upper
        FROM (
            SELECT t.site, t.camera, unnest(range_agg(
                tstzrange(t.lower, least(t.upper, t.lower + length_max)))) AS span
            FROM unnest(taken) t GROUP BY t.site, t.camera
        ) merged
    ), counted AS (
        SELECT j.site, j.camera, h.*
        FROM job j
        CROSS JOIN LATERAL coverage_hours(j.site, j.camera, j.lower, j.upper) h
        UNION ALL
        SELECT l.site, l.camera, l.covered_from, l.area, l.monitored, l.patterns, l.state,
            l.models, -l.amount
        FROM job j
        -- OFFSET: looked up by camera, or else all rows might be read.
        CROSS JOIN LATERAL (
            SELECT * FROM coverage_ledger c
            WHERE c.camera = j.camera AND c.covered_from >= j.lower AND c.covered_from < j.upper
            OFFSET 0
        ) l
    ), differing AS (
        SELECT c.site, c.camera, c.covered_from, c.area, c.monitored, c.patterns, c.state,
            c.models, sum(c.seconds)::bigint AS amount
        FROM counted c
        GROUP BY 1, 2, 3, 4, 5, 6, 7, 8
        HAVING sum(c.seconds) <> 0
    )
    SELECT array_agg(
        ROW(d.site, NULL, d.covered_from, d.amount, NULL, NULL, d.camera, d.area,
            d.monitored, d.patterns, d.state, d.models)::coverage_ledger)
    INTO differences
    FROM differing d;
    SELECT array_agg(ROW(p.site, NULL, p.recorded_until)::coverage_recordings) INTO completed
    FROM coverage_progress p
    WHERE p.recorded_until > coalesce(
            (SELECT r.recorded_until FROM coverage_recordings r WHERE r.site = p.site
                ORDER BY r.position DESC LIMIT 1),
            p.since)
        AND NOT EXISTS (SELECT FROM coverage_due d WHERE d.site = p.site);
    IF differences IS NULL AND completed IS NULL THEN
        RETURN is_left;
    END IF;

    change := nextval('changes');
    INSERT INTO journal (change, ordinal, event, site, subject, occurred_at, document)
    SELECT recording.change, row_number() OVER (ORDER BY r.site), 'coverage.recorded', r.site,
        r.site, clock_timestamp(), json_build_object(
            'site', r.site, 'from', rfc3339(min(r.covered_from)),
            'to', rfc3339(max(r.covered_from) + interval '1 hour'),
            'cameras', count(DISTINCT r.camera), 'recorded_until', rfc3339(max(r.until)))
    FROM (
        SELECT d.site, d.covered_from, d.camera, NULL::timestamptz AS until
        FROM unnest(differences) d
        UNION ALL
        SELECT c.site, NULL, NULL, c.recorded_until FROM unnest(completed) c
    ) r
    GROUP BY r.site;
    -- Not the last statement: each row carries the position, so nobody has to look it up later.
    -- All is computed by now, and the others wait for a moment only.
    position := append_position(change);
    INSERT INTO coverage_ledger (site, covered_from, amount, change, position, camera, area,
        monitored, patterns, state, models)
    SELECT d.site, d.covered_from, d.amount, recording.change, recording.position, d.camera,
        d.area, d.monitored, d.patterns, d.state, d.models
    FROM unnest(differences) d;
    INSERT INTO coverage_recordings (site, position, recorded_until)
    SELECT c.site, recording.position, c.recorded_until FROM unnest(completed) c;
    RETURN is_left;
END
$$;
