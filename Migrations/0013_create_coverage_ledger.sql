-- How long cameras were watched, as rows that are only ever added, like those of what happened:
-- after each hour what the cameras' coverage came to is recorded, and whenever something is entered
-- afterwards that changes it, the difference. So what was known earlier can be told again.

-- Up to when each site's hours are recorded or due to be.
CREATE TABLE coverage_progress (
    site text PRIMARY KEY REFERENCES sites,
    -- Before it nothing is recorded.
    since timestamptz NOT NULL,
    recorded_until timestamptz NOT NULL CHECK (recorded_until >= since)
);
GRANT SELECT, INSERT ON coverage_progress TO leitstand;
GRANT UPDATE (recorded_until) ON coverage_progress TO leitstand;

CREATE FUNCTION full_hour(instant timestamptz) RETURNS timestamptz
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN date_bin('1 hour', instant, '2000-01-01T00:00:00Z');

CREATE FUNCTION begin_coverage() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO coverage_progress (site, since, recorded_until)
    VALUES (NEW.id, full_hour(NEW.created_at), full_hour(NEW.created_at));
    RETURN NULL;
END
$$;
CREATE TRIGGER coverage_begun AFTER INSERT ON sites
    FOR EACH ROW EXECUTE FUNCTION begin_coverage();
INSERT INTO coverage_progress (site, since, recorded_until)
SELECT id, full_hour(now()), full_hour(now()) FROM sites;

-- What has to be counted, or counted again. Rows are taken out in the transaction that counts.
CREATE TABLE coverage_due (
    ordinal bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    site text NOT NULL,
    -- NULL: all of the site.
    camera uuid,
    -- Full hours.
    lower timestamptz NOT NULL,
    upper timestamptz NOT NULL,
    CHECK (lower < upper)
);
GRANT SELECT, INSERT, DELETE ON coverage_due TO leitstand;

-- One row says that a camera was in a state for so many seconds of an hour, or no longer is said
-- to have been. `patterns` NULL: the camera as a whole; else for each of these patterns, while they
-- were permitted.
-- Where the local time is not a whole number of hours off UTC, rows are by the quarter of an hour.
CREATE TABLE coverage_ledger (
    site text NOT NULL,
    ordinal bigint GENERATED ALWAYS AS IDENTITY,
    covered_from timestamptz NOT NULL,
    amount bigint NOT NULL CHECK (amount <> 0),
    change bigint NOT NULL,
    position bigint NOT NULL,
    camera uuid NOT NULL,
    area uuid NOT NULL,
    monitored boolean NOT NULL,
    patterns text[],
    state text NOT NULL CHECK (
        state IN ('analysed', 'off_by_schedule', 'off_by_order', 'blind', 'off', 'unknown')),
    models text[],
    PRIMARY KEY (site, ordinal),
    FOREIGN KEY (site, camera) REFERENCES cameras (site, id)
);
GRANT SELECT, INSERT ON coverage_ledger TO leitstand;
CREATE INDEX coverage_ledger_of_cameras ON coverage_ledger (site, covered_from)
    WHERE patterns IS NULL;
CREATE INDEX coverage_ledger_of_patterns ON coverage_ledger (site, covered_from)
    WHERE patterns IS NOT NULL;
CREATE INDEX coverage_ledger_by_position ON coverage_ledger (position);
-- What is counted already of a camera.
CREATE INDEX coverage_ledger_by_camera ON coverage_ledger (camera, covered_from);

-- Up to when a site's hours were in the ledger, from a position on.
CREATE TABLE coverage_recordings (
    site text NOT NULL REFERENCES sites,
    position bigint NOT NULL,
    recorded_until timestamptz NOT NULL,
    PRIMARY KEY (site, position)
);
GRANT SELECT, INSERT ON coverage_recordings TO leitstand;

-- What is due again. Whoever changes coverage holds the lock shared until that is visible, and an
-- hour is declared recorded only while nobody does: either the change sees that the hour is, and
-- says what is due, or who counts the hour sees the change.

CREATE FUNCTION make_coverage_due(
    site text, camera uuid, lower timestamptz, upper timestamptz) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock_shared(7236013);
    INSERT INTO coverage_due (site, camera, lower, upper)
    SELECT d.site, make_coverage_due.camera, d.lower, d.upper
    FROM (
        SELECT p.site, full_hour(greatest(make_coverage_due.lower, p.since)) AS lower,
            least(
                full_hour(make_coverage_due.upper + interval '1 hour' - interval '1 microsecond'),
                p.recorded_until) AS upper
        FROM coverage_progress p WHERE p.site = make_coverage_due.site
    ) d
    WHERE d.lower < d.upper;
END
$$;

CREATE FUNCTION recount_reports() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock_shared(7236013);
    -- A heartbeat changes what follows it, which is not recorded yet, except after a gap.
    PERFORM make_coverage_due(late.site, late.camera, late.lower, 'infinity')
    FROM (
        SELECT r.site, r.camera, min(r.starts_at) AS lower FROM reported r
        GROUP BY r.site, r.camera
    ) late
    JOIN coverage_progress p ON p.site = late.site AND late.lower < p.recorded_until;
    RETURN NULL;
END
$$;
CREATE TRIGGER coverage_reported AFTER INSERT ON analysis_intervals
    REFERENCING NEW TABLE AS reported FOR EACH STATEMENT EXECUTE FUNCTION recount_reports();

CREATE FUNCTION recount_changed_reports() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock_shared(7236013);
    PERFORM make_coverage_due(late.site, late.camera, late.lower, 'infinity')
    FROM (
        SELECT n.site, n.camera,
            min(CASE WHEN (o.status, o.model) IS DISTINCT FROM (n.status, n.model)
                THEN n.starts_at ELSE least(o.ends_at, n.ends_at) END) AS lower
        FROM old_reports o JOIN new_reports n USING (site, camera, pattern, node, starts_at)
        GROUP BY n.site, n.camera
    ) late
    JOIN coverage_progress p ON p.site = late.site AND late.lower < p.recorded_until;
    RETURN NULL;
END
$$;
CREATE TRIGGER coverage_report_changed AFTER UPDATE ON analysis_intervals
    REFERENCING OLD TABLE AS old_reports NEW TABLE AS new_reports
    FOR EACH STATEMENT EXECUTE FUNCTION recount_changed_reports();

CREATE FUNCTION recount_interruption() RETURNS trigger
LANGUAGE plpgsql AS $$
DECLARE
    -- Of one that is ended, what lies between the two ends.
    lower CONSTANT timestamptz := CASE WHEN TG_OP = 'INSERT' THEN NEW.starts_at
        ELSE least(OLD.ends_at, NEW.ends_at) END;
    upper CONSTANT timestamptz := CASE WHEN TG_OP = 'INSERT' OR OLD.ends_at IS NOT NULL
        THEN coalesce(greatest(NEW.ends_at, OLD.ends_at), 'infinity') ELSE 'infinity' END;
BEGIN
    IF NEW.area IS NULL THEN
        PERFORM make_coverage_due(NEW.site, NEW.camera, lower, upper);
    ELSE
        PERFORM make_coverage_due(NEW.site, there.camera, lower, upper)
        FROM (SELECT DISTINCT p.camera FROM camera_periods p WHERE p.area = NEW.area) there;
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER coverage_interrupted AFTER INSERT OR UPDATE OF ends_at ON interruptions
    FOR EACH ROW EXECUTE FUNCTION recount_interruption();

CREATE FUNCTION recount_life() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.installed_at = NEW.installed_at THEN
        PERFORM make_coverage_due(
            NEW.site, NEW.id, least(OLD.removed_at, NEW.removed_at), 'infinity');
    ELSE
        PERFORM make_coverage_due(
            NEW.site, NEW.id, least(OLD.installed_at, NEW.installed_at), 'infinity');
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER coverage_begun AFTER INSERT ON cameras
    FOR EACH ROW EXECUTE FUNCTION recount_life();
CREATE TRIGGER coverage_life_changed AFTER UPDATE OF installed_at, removed_at ON cameras
    FOR EACH ROW
    WHEN ((OLD.installed_at, OLD.removed_at) IS DISTINCT FROM (NEW.installed_at, NEW.removed_at))
    EXECUTE FUNCTION recount_life();

-- A period that begins now changes no hour that is over, unless its transaction took long.
CREATE FUNCTION recount_camera_period() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM make_coverage_due(NEW.site, NEW.camera, NEW.valid_from, 'infinity');
    RETURN NULL;
END
$$;
CREATE TRIGGER coverage_period_begun AFTER INSERT ON camera_periods
    FOR EACH ROW WHEN (NEW.valid_from > '-infinity') EXECUTE FUNCTION recount_camera_period();

CREATE FUNCTION recount_area_period() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM make_coverage_due(NEW.site, NULL, NEW.valid_from, 'infinity');
    RETURN NULL;
END
$$;
CREATE TRIGGER coverage_period_begun AFTER INSERT ON area_periods
    FOR EACH ROW WHEN (NEW.valid_from > '-infinity') EXECUTE FUNCTION recount_area_period();

CREATE FUNCTION recount_pattern_period() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM make_coverage_due(
        NEW.site, NULL, coalesce(NEW.listed_to, NEW.listed_from), 'infinity');
    RETURN NULL;
END
$$;
CREATE TRIGGER coverage_period_begun AFTER INSERT OR UPDATE ON pattern_periods
    FOR EACH ROW WHEN (coalesce(NEW.listed_to, NEW.listed_from) > '-infinity')
    EXECUTE FUNCTION recount_pattern_period();

-- Counting.

-- What a camera's coverage comes to within full hours, as the ledger has it. Bounds of states are
-- taken at full seconds, so that an hour has exactly 3600.
CREATE FUNCTION coverage_hours(site text, camera uuid, lower timestamptz, upper timestamptz)
RETURNS TABLE (
    covered_from timestamptz, area uuid, monitored boolean, patterns text[], state text,
    models text[], seconds bigint)
LANGUAGE sql STABLE AS $$
    WITH permitted AS (
        SELECT p.pattern,
            tstzrange(p.listed_from, p.listed_to) * tstzrange(p.valid_from, p.valid_to) AS span
        FROM pattern_periods p WHERE p.site = coverage_hours.site
        UNION ALL
        SELECT NULL, tstzrange(NULL, NULL)
    ), placed AS (
        SELECT c.pattern, c.state, c.models, k.area, a.monitored,
            tstzrange(c.starts_at, c.ends_at) * tstzrange(k.valid_from, k.valid_to)
                * tstzrange(a.valid_from, a.valid_to) * p.span AS span
        FROM coverage_of_patterns(
            coverage_hours.site, coverage_hours.camera,
            ARRAY(SELECT DISTINCT pattern FROM permitted), coverage_hours.lower,
            coverage_hours.upper) c
        JOIN permitted p ON p.pattern IS NOT DISTINCT FROM c.pattern
        JOIN camera_periods k ON k.site = coverage_hours.site AND k.camera = coverage_hours.camera
            AND tstzrange(k.valid_from, k.valid_to) && tstzrange(c.starts_at, c.ends_at)
        JOIN area_periods a ON a.site = coverage_hours.site AND a.area = k.area
            AND tstzrange(a.valid_from, a.valid_to) && tstzrange(c.starts_at, c.ends_at)
    ), pieces AS (
        SELECT p.pattern, p.state, p.models, p.area, p.monitored, piece.starts_at,
            extract(epoch FROM
                date_trunc('second', least(upper(p.span), piece.starts_at + step.length))
                - date_trunc('second', greatest(lower(p.span), piece.starts_at)))::bigint
                AS seconds
        FROM placed p
        JOIN sites s ON s.id = coverage_hours.site
        CROSS JOIN LATERAL generate_series(
            full_hour(lower(p.span)), upper(p.span) - interval '1 microsecond',
            interval '1 hour') AS hour (starts_at)
        CROSS JOIN LATERAL (
            SELECT CASE
                WHEN extract(minute FROM hour.starts_at AT TIME ZONE s.time_zone) = 0
                    AND extract(minute FROM
                        (hour.starts_at + interval '1 hour') AT TIME ZONE s.time_zone) = 0
                THEN interval '1 hour' ELSE interval '15 minutes' END AS length
        ) step
        CROSS JOIN LATERAL generate_series(
            hour.starts_at, hour.starts_at + interval '59 minutes', step.length)
            AS piece (starts_at)
        WHERE NOT isempty(p.span) AND piece.starts_at < upper(p.span)
            AND piece.starts_at + step.length > lower(p.span)
    ), summed AS (
        SELECT p.starts_at, p.area, p.monitored, p.pattern, p.state, p.models,
            sum(p.seconds) AS seconds
        FROM pieces p
        GROUP BY p.starts_at, p.area, p.monitored, p.pattern, p.state, p.models
        HAVING sum(p.seconds) > 0
    )
    SELECT s.starts_at, s.area, s.monitored, array_agg(s.pattern ORDER BY s.pattern), s.state,
        s.models, s.seconds::bigint
    FROM summed s
    WHERE s.pattern IS NOT NULL
    GROUP BY s.starts_at, s.area, s.monitored, s.state, s.models, s.seconds
    UNION ALL
    SELECT s.starts_at, s.area, s.monitored, NULL, s.state, s.models, s.seconds::bigint
    FROM summed s
    WHERE s.pattern IS NULL
$$;

-- Declares the hours that are over due to be recorded: those of which all nodes have told what
-- there was, or are lost. Any instance may call it. Returns how many sites have new ones.
CREATE FUNCTION advance_coverage(at timestamptz DEFAULT clock_timestamp()) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
    -- By which the clocks of several instances may differ.
    allowance CONSTANT interval := '2 minutes';
    advanced bigint;
BEGIN
    IF NOT EXISTS (
        SELECT FROM coverage_progress p
        WHERE p.recorded_until < full_hour(advance_coverage.at - allowance)
    ) THEN
        RETURN 0;
    END IF;
    -- Nobody waits behind this: whoever changes coverage just now goes first.
    IF NOT pg_try_advisory_xact_lock(7236013) THEN
        RETURN 0;
    END IF;
    WITH moving AS (
        SELECT p.site, p.recorded_until AS lower,
            full_hour(least(
                advance_coverage.at - allowance,
                (SELECT min(n.last_heartbeat_at) FROM nodes n
                    WHERE n.site = p.site AND EXISTS (
                        SELECT FROM analysis_intervals i
                        WHERE i.node = n.id AND i.ends_at IS NULL)))) AS upper
        FROM coverage_progress p
    ), moved AS (
        UPDATE coverage_progress p SET recorded_until = m.upper
        FROM moving m WHERE m.site = p.site AND m.upper > m.lower
        RETURNING p.site, m.lower, m.upper
    )
    INSERT INTO coverage_due (site, lower, upper) SELECT site, lower, upper FROM moved;
    GET DIAGNOSTICS advanced = ROW_COUNT;
    RETURN advanced;
END
$$;

-- Counts what is due, and records how it differs from what is counted already. One instance at a
-- time. Returns whether anything may be left to do.
CREATE FUNCTION record_coverage() RETURNS boolean
LANGUAGE plpgsql AS $$
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
        WHERE d.ordinal IN (
            SELECT r.ordinal
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
        JOIN coverage_ledger l ON l.camera = j.camera
            AND l.covered_from >= j.lower AND l.covered_from < j.upper
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
            (SELECT max(r.recorded_until) FROM coverage_recordings r WHERE r.site = p.site),
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

-- What the ledger of coverage says differently from what it comes to, counted anew from what nodes
-- reported and from what was set and ordered, as ledger_differences() does. What is due to be
-- counted is left out. `known_position`: the last one.
CREATE FUNCTION coverage_ledger_differences()
RETURNS TABLE (
    kind text, site text, subject text, known_position bigint, fact text, amount bigint)
LANGUAGE sql STABLE AS $$
    WITH job AS (
        SELECT p.site, c.id AS camera, week.starts_at AS lower,
            least(week.starts_at + interval '7 days', p.recorded_until) AS upper
        FROM coverage_progress p
        JOIN cameras c ON c.site = p.site
        CROSS JOIN LATERAL generate_series(
            p.since, p.recorded_until - interval '1 microsecond', interval '7 days')
            AS week (starts_at)
    ), counted AS (
        SELECT j.site, j.camera, h.covered_from, h.area, h.monitored, h.patterns, h.state,
            h.models, -h.seconds AS amount
        FROM job j
        CROSS JOIN LATERAL coverage_hours(j.site, j.camera, j.lower, j.upper) h
        UNION ALL
        SELECT l.site, l.camera, l.covered_from, l.area, l.monitored, l.patterns, l.state,
            l.models, l.amount
        FROM coverage_ledger l
    )
    SELECT 'coverage', c.site, c.camera::text, (SELECT max(p.position) FROM positions p),
        jsonb_build_object(
            'covered_from', c.covered_from, 'area', c.area, 'monitored', c.monitored,
            'patterns', c.patterns, 'state', c.state, 'models', c.models)::text,
        sum(c.amount)::bigint
    FROM counted c
    WHERE NOT EXISTS (
        SELECT FROM coverage_due d
        WHERE d.site = c.site AND (d.camera IS NULL OR d.camera = c.camera)
            AND c.covered_from >= d.lower AND c.covered_from < d.upper)
    GROUP BY c.site, c.camera, c.covered_from, c.area, c.monitored, c.patterns, c.state, c.models
    HAVING sum(c.amount) <> 0
    ORDER BY c.site, c.camera, c.covered_from, sum(c.amount)
$$;
