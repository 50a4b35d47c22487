-- Coverage by month, so that a year's hours cost the same after ten years as after one; and which
-- cameras there were on each day, as rows of their own that are summed up by day.

-- Hours of cameras by month. `patterns` as in the rows: NULL in the cubes of cameras as a whole.
CREATE TABLE coverage_cells (
    site text NOT NULL,
    cube text NOT NULL CHECK (cube IN ('base', 'area', 'camera', 'pattern', 'pattern_area')),
    run integer NOT NULL,
    month date NOT NULL,
    state text NOT NULL,
    models text[],
    -- Of `area`, `camera` and `pattern_area`.
    area uuid,
    monitored boolean,
    camera uuid,
    patterns text[],
    amount bigint NOT NULL
);
GRANT SELECT ON coverage_cells TO leitstand;
CREATE INDEX coverage_cells_by_run ON coverage_cells (run, cube, site, month);

CREATE FUNCTION sum_camera_coverage(run integer, after_position bigint, to_position bigint)
RETURNS SETOF coverage_cells
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT r.site,
        CASE
            WHEN grouping(r.camera) = 0 THEN 'camera'
            WHEN grouping(r.area) = 0 THEN 'area'
            ELSE 'base'
        END,
        run, r.month, r.state, r.models, r.area, r.monitored, r.camera, NULL::text[],
        sum(r.amount)::bigint
    FROM (
        SELECT l.*, local_month(l.covered_from, s.time_zone) AS month
        FROM coverage_ledger l JOIN sites s ON s.id = l.site
        WHERE l.position > after_position AND l.position <= to_position AND l.patterns IS NULL
    ) r
    GROUP BY r.site, r.month, r.state, r.models,
        GROUPING SETS ((), (r.area, r.monitored), (r.area, r.monitored, r.camera))
    HAVING sum(r.amount) <> 0;
END;

CREATE FUNCTION sum_pattern_coverage(run integer, after_position bigint, to_position bigint)
RETURNS SETOF coverage_cells
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT r.site, CASE WHEN grouping(r.area) = 0 THEN 'pattern_area' ELSE 'pattern' END,
        run, r.month, r.state, r.models, r.area, r.monitored, NULL::uuid, r.patterns,
        sum(r.amount)::bigint
    FROM (
        SELECT l.*, local_month(l.covered_from, s.time_zone) AS month
        FROM coverage_ledger l JOIN sites s ON s.id = l.site
        WHERE l.position > after_position AND l.position <= to_position
            AND l.patterns IS NOT NULL
    ) r
    GROUP BY r.site, r.month, r.state, r.models, r.patterns,
        GROUPING SETS ((), (r.area, r.monitored))
    HAVING sum(r.amount) <> 0;
END;

-- One row says that a camera was there on a local day, or no longer is said to have been: follows
-- from the ledger of coverage, in the same change. A camera counts once a day, in the area in which
-- it was longest; of two as long in a monitored one.
CREATE TABLE camera_day_ledger (
    site text NOT NULL,
    ordinal bigint GENERATED ALWAYS AS IDENTITY,
    amount smallint NOT NULL CHECK (amount IN (-1, 1)),
    change bigint NOT NULL,
    position bigint NOT NULL,
    camera uuid NOT NULL,
    day date NOT NULL,
    -- Its first instant.
    begins_at timestamptz NOT NULL,
    area uuid NOT NULL,
    monitored boolean NOT NULL,
    -- At some time of the day, for any pattern.
    analysed boolean NOT NULL,
    PRIMARY KEY (site, begins_at, ordinal),
    FOREIGN KEY (site, camera) REFERENCES cameras (site, id)
);
GRANT SELECT, INSERT ON camera_day_ledger TO leitstand;
CREATE INDEX camera_day_ledger_by_position ON camera_day_ledger (position);
-- What is counted already of a camera.
CREATE INDEX camera_day_ledger_by_camera ON camera_day_ledger (camera, day);

-- Cameras by day: how many were there on the fewest and the most days no sum over a month tells.
CREATE TABLE camera_day_cells (
    site text NOT NULL,
    cube text NOT NULL CHECK (cube IN ('base', 'area')),
    run integer NOT NULL,
    month date NOT NULL,
    day date NOT NULL,
    analysed boolean NOT NULL,
    area uuid,
    monitored boolean,
    amount bigint NOT NULL
);
GRANT SELECT ON camera_day_cells TO leitstand;
CREATE INDEX camera_day_cells_by_run ON camera_day_cells (run, cube, site, month);

CREATE FUNCTION sum_camera_days(run integer, after_position bigint, to_position bigint)
RETURNS SETOF camera_day_cells
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT l.site, CASE WHEN grouping(l.area) = 0 THEN 'area' ELSE 'base' END, run,
        date_trunc('month', l.day::timestamp)::date, l.day, l.analysed, l.area, l.monitored,
        sum(l.amount)
    FROM camera_day_ledger l
    WHERE l.position > after_position AND l.position <= to_position
    GROUP BY l.site, l.day, l.analysed, GROUPING SETS ((), (l.area, l.monitored))
    HAVING sum(l.amount) <> 0;
END;

INSERT INTO ledger_sums (summed_by, cells, ledger) VALUES
    ('sum_camera_coverage', 'coverage_cells', 'coverage_ledger'),
    ('sum_pattern_coverage', 'coverage_cells', 'coverage_ledger'),
    ('sum_camera_days', 'camera_day_cells', 'camera_day_ledger');

-- How the days of cameras change when rows come to the ledger of coverage that are not there yet.
CREATE FUNCTION camera_days_after(added coverage_ledger[])
RETURNS TABLE (
    site text, camera uuid, day date, begins_at timestamptz, area uuid, monitored boolean,
    analysed boolean, amount bigint)
LANGUAGE sql STABLE AS $$
    WITH touched AS MATERIALIZED (
        SELECT t.site, t.camera, t.day, first_instant(t.day, s.time_zone) AS begins_at,
            first_instant(t.day + 1, s.time_zone) AS ends_at
        FROM (
            SELECT DISTINCT a.site, a.camera,
                (a.covered_from AT TIME ZONE s.time_zone)::date AS day
            FROM unnest(added) a JOIN sites s ON s.id = a.site
            WHERE a.patterns IS NULL
        ) t
        JOIN sites s ON s.id = t.site
    ), placed AS (
        SELECT r.site, r.camera, r.day, r.begins_at, r.area, r.monitored,
            sum(r.amount) AS seconds,
            coalesce(sum(r.amount) FILTER (WHERE r.state = 'analysed'), 0) AS analysed
        FROM (
            SELECT t.site, t.camera, t.day, t.begins_at, a.area, a.monitored, a.state, a.amount
            FROM touched t
            JOIN unnest(added) a ON a.site = t.site AND a.camera = t.camera
                AND a.covered_from >= t.begins_at AND a.covered_from < t.ends_at
            WHERE a.patterns IS NULL
            UNION ALL
            SELECT t.site, t.camera, t.day, t.begins_at, l.area, l.monitored, l.state, l.amount
            FROM touched t
            -- OFFSET: looked up by camera, or else all rows might be read.
            CROSS JOIN LATERAL (
                SELECT * FROM coverage_ledger c
                WHERE c.camera = t.camera
                    AND c.covered_from >= t.begins_at AND c.covered_from < t.ends_at
                    AND c.patterns IS NULL
                OFFSET 0
            ) l
        ) r
        GROUP BY r.site, r.camera, r.day, r.begins_at, r.area, r.monitored
        HAVING sum(r.amount) > 0
    ), counted AS (
        (
            SELECT DISTINCT ON (p.site, p.camera, p.day) p.site, p.camera, p.day, p.begins_at,
                p.area, p.monitored,
                sum(p.analysed) OVER (PARTITION BY p.site, p.camera, p.day) > 0 AS analysed,
                1 AS amount
            FROM placed p
            ORDER BY p.site, p.camera, p.day, p.seconds DESC, p.monitored DESC, p.area
        )
        UNION ALL
        SELECT l.site, l.camera, l.day, l.begins_at, l.area, l.monitored, l.analysed, -l.amount
        FROM touched t
        CROSS JOIN LATERAL (
            SELECT * FROM camera_day_ledger c WHERE c.camera = t.camera AND c.day = t.day
            OFFSET 0
        ) l
    )
    SELECT c.site, c.camera, c.day, c.begins_at, c.area, c.monitored, c.analysed, sum(c.amount)
    FROM counted c
    GROUP BY 1, 2, 3, 4, 5, 6, 7
    HAVING sum(c.amount) <> 0
$$;

-- What the ledger of the days has to hold, by what that of coverage holds at each position.
CREATE FUNCTION camera_days_of_coverage()
RETURNS TABLE (
    site text, camera uuid, day date, begins_at timestamptz, area uuid, monitored boolean,
    analysed boolean, change bigint, known_position bigint, amount integer)
LANGUAGE sql STABLE AS $$
    WITH added AS MATERIALIZED (
        SELECT l.site, l.camera, l.day, l.area, l.monitored, l.change, l.position,
            sum(l.amount) AS seconds,
            coalesce(sum(l.amount) FILTER (WHERE l.state = 'analysed'), 0) AS analysed
        FROM (
            SELECT l.*, (l.covered_from AT TIME ZONE s.time_zone)::date AS day
            FROM coverage_ledger l JOIN sites s ON s.id = l.site
            WHERE l.patterns IS NULL
        ) l
        GROUP BY l.site, l.camera, l.day, l.area, l.monitored, l.change, l.position
    ), moment AS MATERIALIZED (
        SELECT DISTINCT a.site, a.camera, a.day, a.change, a.position FROM added a
    ), placed AS (
        -- Each place of the camera on that day, at each position from which on it is another.
        SELECT m.site, m.camera, m.day, m.position, p.area, p.monitored,
            sum(coalesce(a.seconds, 0)) OVER known AS seconds,
            sum(coalesce(a.analysed, 0)) OVER known AS analysed
        FROM moment m
        JOIN (SELECT DISTINCT a.site, a.camera, a.day, a.area, a.monitored FROM added a) p
            ON p.site = m.site AND p.camera = m.camera AND p.day = m.day
        LEFT JOIN added a ON a.site = m.site AND a.camera = m.camera AND a.day = m.day
            AND a.position = m.position AND a.area = p.area AND a.monitored = p.monitored
        WINDOW known AS (
            PARTITION BY m.site, m.camera, m.day, p.area, p.monitored ORDER BY m.position)
    ), stated AS (
        SELECT DISTINCT ON (p.site, p.camera, p.day, p.position) p.site, p.camera, p.day,
            p.position, p.area, p.monitored,
            sum(p.analysed) OVER (PARTITION BY p.site, p.camera, p.day, p.position) > 0
                AS analysed
        FROM placed p
        WHERE p.seconds > 0
        ORDER BY p.site, p.camera, p.day, p.position, p.seconds DESC, p.monitored DESC, p.area
    ), became AS (
        SELECT m.*, s.area, s.monitored, s.analysed, lag(s.area) OVER earlier AS area_before,
            lag(s.monitored) OVER earlier AS monitored_before,
            lag(s.analysed) OVER earlier AS analysed_before
        FROM moment m
        LEFT JOIN stated s ON s.site = m.site AND s.camera = m.camera AND s.day = m.day
            AND s.position = m.position
        WINDOW earlier AS (PARTITION BY m.site, m.camera, m.day ORDER BY m.position)
    )
    SELECT b.site, b.camera, b.day, first_instant(b.day, s.time_zone), counted.area,
        counted.monitored, counted.analysed, b.change, b.position, counted.amount
    FROM became b
    JOIN sites s ON s.id = b.site
    CROSS JOIN LATERAL (VALUES
        (-1, b.area_before, b.monitored_before, b.analysed_before),
        (1, b.area, b.monitored, b.analysed)
    ) counted (amount, area, monitored, analysed)
    WHERE counted.area IS NOT NULL
        AND (b.area, b.monitored, b.analysed)
            IS DISTINCT FROM (b.area_before, b.monitored_before, b.analysed_before)
    ORDER BY b.position, counted.amount
$$;

-- What the ledger of the days says differently from that of coverage, as ledger_differences() does.
CREATE FUNCTION camera_day_differences()
RETURNS TABLE (
    kind text, site text, subject text, known_position bigint, fact text, amount bigint)
LANGUAGE sql STABLE AS $$
    SELECT 'camera_day', c.site, c.camera::text, c.known_position,
        jsonb_build_object(
            'day', c.day, 'begins_at', c.begins_at, 'area', c.area, 'monitored', c.monitored,
            'analysed', c.analysed)::text,
        sum(c.amount)::bigint
    FROM (
        SELECT d.site, d.camera, d.day, d.begins_at, d.area, d.monitored, d.analysed,
            d.known_position, -d.amount AS amount
        FROM camera_days_of_coverage() d
        UNION ALL
        SELECT l.site, l.camera, l.day, l.begins_at, l.area, l.monitored, l.analysed, l.position,
            l.amount
        FROM camera_day_ledger l
    ) c
    GROUP BY c.site, c.camera, c.day, c.begins_at, c.area, c.monitored, c.analysed,
        c.known_position
    HAVING sum(c.amount) <> 0
    ORDER BY c.site, c.camera, c.known_position, sum(c.amount)
$$;

-- What is recorded already.
INSERT INTO camera_day_ledger (site, amount, change, position, camera, day, begins_at, area,
    monitored, analysed)
SELECT d.site, d.amount, d.change, d.known_position, d.camera, d.day, d.begins_at, d.area,
    d.monitored, d.analysed
FROM camera_days_of_coverage() d;
INSERT INTO coverage_cells
SELECT c.* FROM ledger_runs r
CROSS JOIN LATERAL sum_camera_coverage(r.run, r.from_position, r.to_position) c;
INSERT INTO coverage_cells
SELECT c.* FROM ledger_runs r
CROSS JOIN LATERAL sum_pattern_coverage(r.run, r.from_position, r.to_position) c;
INSERT INTO camera_day_cells
SELECT c.* FROM ledger_runs r
CROSS JOIN LATERAL sum_camera_days(r.run, r.from_position, r.to_position) c;

-- As before, but that it also records the days of cameras, and takes what is due by its order, where
-- each row was compared with all others.
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
    day_differences camera_day_ledger[];
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
    SELECT array_agg(
        ROW(d.site, NULL, d.amount, NULL, NULL, d.camera, d.day, d.begins_at, d.area,
            d.monitored, d.analysed)::camera_day_ledger)
    INTO day_differences
    FROM camera_days_after(differences) d;
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
    INSERT INTO camera_day_ledger (site, amount, change, position, camera, day, begins_at, area,
        monitored, analysed)
    SELECT d.site, d.amount, recording.change, recording.position, d.camera, d.day, d.begins_at,
        d.area, d.monitored, d.analysed
    FROM unnest(day_differences) d;
    INSERT INTO coverage_recordings (site, position, recorded_until)
    SELECT c.site, recording.position, c.recorded_until FROM unnest(completed) c;
    RETURN is_left;
END
$$;
