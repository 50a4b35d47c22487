-- What a site's cameras were counted by each hour took seconds, and where the database compiles
-- long statements (jit) most of a minute: each camera's statements were planned anew, and how the
-- tables were joined was left to estimates. The functions say the same as before.

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
