-- How much rang at each observer's position, as rows that are only ever added, like those of
-- coverage: after each hour its ten-minute windows and its floods are recorded, and whenever
-- something becomes known afterwards that changes them, the difference. Floods are not additive, so
-- they are told from all that rang, by the same function live and years later.

-- Which positions there were when. As with permitted patterns, those that a site is created with
-- hold for the time before, too.
CREATE TABLE position_periods (
    site text NOT NULL REFERENCES sites,
    name text NOT NULL,
    valid_from timestamptz NOT NULL,
    valid_to timestamptz,
    -- As of observer_positions.
    areas uuid[],
    staffed json,
    PRIMARY KEY (site, name, valid_from),
    CHECK (valid_to > valid_from)
);
GRANT SELECT ON position_periods TO leitstand;
CREATE UNIQUE INDEX position_periods_now ON position_periods (site, name) WHERE valid_to IS NULL;

-- What was entered before this migration stands in the journal's documents of the site.
WITH version AS (
    SELECT j.site, p.recorded_at, j.document,
        lead(p.recorded_at) OVER (PARTITION BY j.site ORDER BY p.position) AS replaced_at,
        row_number() OVER (PARTITION BY j.site ORDER BY p.position) AS number
    FROM (
        SELECT DISTINCT ON (o.site, o.change) o.site, o.change, o.document
        FROM journal o WHERE o.event LIKE 'site.%' ORDER BY o.site, o.change, o.ordinal DESC
    ) j
    JOIN positions p ON p.change = j.change
), placed AS (
    SELECT v.site, v.number, v.replaced_at,
        CASE v.number WHEN 1 THEN '-infinity' ELSE v.recorded_at END AS recorded_at,
        e.place ->> 'name' AS name, e.place ->> 'areas' AS areas, e.place ->> 'staffed' AS staffed
    FROM version v
    CROSS JOIN LATERAL json_array_elements(
        coalesce(v.document -> 'positions', '[]')) e (place)
), marked AS (
    -- Where it was not in the version before, or otherwise.
    SELECT p.*, p.number IS DISTINCT FROM lag(p.number) OVER entered + 1
        OR (p.areas, p.staffed) IS DISTINCT FROM
            (lag(p.areas) OVER entered, lag(p.staffed) OVER entered) AS begins
    FROM placed p
    WINDOW entered AS (PARTITION BY p.site, p.name ORDER BY p.number)
), period AS (
    SELECT m.*, count(*) FILTER (WHERE m.begins)
        OVER (PARTITION BY m.site, m.name ORDER BY m.number) AS period
    FROM marked m
)
INSERT INTO position_periods (site, name, valid_from, valid_to, areas, staffed)
SELECT p.site, p.name, min(p.recorded_at),
    CASE WHEN bool_and(p.replaced_at IS NOT NULL) THEN max(p.replaced_at) END,
    CASE WHEN p.areas IS NOT NULL
        THEN ARRAY(SELECT a::uuid FROM json_array_elements_text(p.areas::json) a) END,
    p.staffed::json
FROM period p
GROUP BY p.site, p.name, p.period, p.areas, p.staffed;

CREATE FUNCTION begin_position_period() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    changed_at timestamptz;
BEGIN
    IF TG_OP <> 'INSERT' THEN
        UPDATE position_periods p
        SET valid_to = greatest(clock_timestamp(), p.valid_from + interval '1 microsecond')
        WHERE p.site = OLD.site AND p.name = OLD.name AND p.valid_to IS NULL
        RETURNING p.valid_to INTO changed_at;
    ELSIF EXISTS (SELECT FROM sites s WHERE s.id = NEW.site AND s.revision = 1) THEN
        changed_at := '-infinity';
    ELSE
        changed_at := greatest(clock_timestamp(), (
            SELECT max(p.valid_to) FROM position_periods p
            WHERE p.site = NEW.site AND p.name = NEW.name));
    END IF;
    IF TG_OP <> 'DELETE' THEN
        INSERT INTO position_periods (site, name, valid_from, areas, staffed)
        VALUES (NEW.site, NEW.name, changed_at, NEW.areas, NEW.staffed);
    END IF;
    RETURN NULL;
END
$$;
REVOKE EXECUTE ON FUNCTION begin_position_period() FROM PUBLIC;
CREATE TRIGGER position_period_begun AFTER INSERT OR DELETE ON observer_positions
    FOR EACH ROW EXECUTE FUNCTION begin_position_period();
CREATE TRIGGER position_period_changed AFTER UPDATE OF areas, staffed ON observer_positions
    FOR EACH ROW
    WHEN ((OLD.areas, OLD.staffed::text) IS DISTINCT FROM (NEW.areas, NEW.staffed::text))
    EXECUTE FUNCTION begin_position_period();

-- When somebody sat at which position of a site within [lower, upper), with the areas that were
-- watched from there (NULL: all). While a site had no positions it counts as one that is always
-- staffed and has no name.
CREATE FUNCTION staffed_spans(site text, lower timestamptz, upper timestamptz)
RETURNS TABLE (name text, areas uuid[], starts_at timestamptz, ends_at timestamptz)
LANGUAGE sql STABLE ROWS 10
BEGIN ATOMIC
    SELECT p.name, p.areas, i.starts_at, i.ends_at
    FROM position_periods p
    JOIN sites s ON s.id = p.site
    CROSS JOIN LATERAL schedule_intervals(
        p.staffed, s.time_zone, greatest(p.valid_from, staffed_spans.lower),
        least(p.valid_to, staffed_spans.upper)) i
    WHERE p.site = staffed_spans.site
        AND tstzrange(p.valid_from, p.valid_to)
            && tstzrange(staffed_spans.lower, staffed_spans.upper)
    UNION ALL
    SELECT '', NULL, pg_catalog.lower(alone.span), pg_catalog.upper(alone.span)
    FROM unnest(
        tstzmultirange(tstzrange(staffed_spans.lower, staffed_spans.upper))
            - coalesce(
                (SELECT range_agg(tstzrange(p.valid_from, p.valid_to)) FROM position_periods p
                    WHERE p.site = staffed_spans.site),
                '{}')) alone (span);
END;

-- What rang at a position within [lower, upper) while somebody sat there, and up to when somebody
-- went on sitting there, as far as `upper`.
CREATE FUNCTION heard_annunciations(
    site text, name text, lower timestamptz, upper timestamptz)
RETURNS TABLE (happened_at timestamptz, staffed_until timestamptz)
LANGUAGE sql STABLE ROWS 100
BEGIN ATOMIC
    WITH staffed AS MATERIALIZED (
        SELECT s.areas, s.starts_at, s.ends_at
        FROM staffed_spans(
            heard_annunciations.site, heard_annunciations.lower, heard_annunciations.upper) s
        WHERE s.name = heard_annunciations.name
    ), merged AS MATERIALIZED (
        SELECT unnest(range_agg(tstzrange(s.starts_at, s.ends_at))) AS span FROM staffed s
    )
    SELECT l.happened_at, pg_catalog.upper(m.span)
    FROM staffed s
    JOIN annunciation_ledger l ON l.site = heard_annunciations.site AND l.fact = 'annunciated'
        AND l.happened_at >= s.starts_at AND l.happened_at < s.ends_at
        AND (s.areas IS NULL OR l.area = ANY (s.areas))
    JOIN merged m ON m.span @> l.happened_at;
END;

-- The floods of a position in [lower, upper) (ISA-18.2: more than ten alarms in ten minutes, until
-- fewer than five; and until nobody sits there). A flood starts with the alarm that is one too many.
-- `ends_at` NULL: it goes on at `upper`.
CREATE FUNCTION position_floods(site text, name text, lower timestamptz, upper timestamptz)
RETURNS TABLE (starts_at timestamptz, ends_at timestamptz)
LANGUAGE plpgsql STABLE ROWS 5 AS $$
DECLARE
    period CONSTANT interval := '10 minutes';
    instant CONSTANT interval := '1 microsecond';
    starts_beyond CONSTANT integer := 10;
    ends_below CONSTANT integer := 5;
    -- From an instant at which there is no flood.
    since timestamptz := position_floods.lower;
    ring record;
    -- The last ones, the last first.
    recent timestamptz[] := '{}';
    staffed_until timestamptz;
BEGIN
    WHILE ends_below <= (
        SELECT count(*) FROM heard_annunciations(
            position_floods.site, position_floods.name, since - period + instant, since + instant))
    LOOP
        since := since - period;
    END LOOP;
    FOR ring IN
        SELECT h.* FROM heard_annunciations(
            position_floods.site, position_floods.name, since - period + instant,
            position_floods.upper) h
        ORDER BY h.happened_at
    LOOP
        IF starts_at IS NOT NULL THEN
            ends_at := least(staffed_until, recent[ends_below] + period);
            IF ends_at < ring.happened_at THEN
                IF ends_at > position_floods.lower THEN
                    RETURN NEXT;
                END IF;
                starts_at := NULL;
            END IF;
        END IF;
        recent := (ring.happened_at || recent)[:starts_beyond + 1];
        IF starts_at IS NULL AND recent[starts_beyond + 1] > ring.happened_at - period THEN
            starts_at := ring.happened_at;
        END IF;
        staffed_until := ring.staffed_until;
    END LOOP;
    IF starts_at IS NOT NULL THEN
        ends_at := least(staffed_until, recent[ends_below] + period);
        IF ends_at >= position_floods.upper THEN
            ends_at := NULL;
        END IF;
        IF ends_at IS NULL OR ends_at > position_floods.lower THEN
            RETURN NEXT;
        END IF;
    END IF;
END
$$;

-- As before, but also of what has rung once more since.
CREATE OR REPLACE FUNCTION count_annunciated(
    site text, areas uuid[], lower timestamptz, upper timestamptz, most bigint
) RETURNS bigint
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT count(*) FROM (
        SELECT FROM annunciation_ledger l
        WHERE l.site = count_annunciated.site AND l.fact = 'annunciated'
            AND l.happened_at > lower AND l.happened_at <= upper
            AND (count_annunciated.areas IS NULL OR l.area = ANY (count_annunciated.areas))
        LIMIT most) rung;
END;

-- Live, by the same function: looks at the positions where it may have begun or ended, and takes the
-- instants from there. Returns how many floods it started or ended.
CREATE OR REPLACE FUNCTION follow_floods(at timestamptz DEFAULT clock_timestamp()) RETURNS bigint
-- Compiling takes longer than running.
LANGUAGE plpgsql SET jit = off AS $$
DECLARE
    period CONSTANT interval := '10 minutes';
    -- By which two calls may lie apart without a flood between them going unseen.
    allowance CONSTANT interval := '1 minute';
    starts_beyond CONSTANT integer := 10;
    ends_below CONSTANT integer := 5;
    since CONSTANT timestamptz := follow_floods.at - period;
    until CONSTANT timestamptz := follow_floods.at + interval '1 microsecond';
    followed bigint;
BEGIN
    -- One instance at a time; what another does meanwhile need not be done again.
    IF NOT pg_try_advisory_xact_lock(7236006) THEN
        RETURN 0;
    END IF;
    WITH staffed AS MATERIALIZED (
        SELECT s.id AS site, p.name, p.areas FROM sites s
        CROSS JOIN LATERAL staffed_spans(s.id, follow_floods.at, until) p
    ), running AS MATERIALIZED (
        SELECT f.* FROM floods f WHERE f.ended_at IS NULL
    ), candidate AS MATERIALIZED (
        SELECT f.site, f.position, f.started_at AS after, f.areas,
            f.started_at AS running_since
        FROM running f
        LEFT JOIN staffed s ON s.site = f.site AND s.name = f.position
        WHERE s.name IS NULL
            OR count_annunciated(s.site, s.areas, since, follow_floods.at, ends_below) < ends_below
        UNION ALL
        SELECT s.site, s.name,
            greatest(
                since - allowance,
                (SELECT max(f.ended_at) FROM floods f
                    WHERE f.site = s.site AND f.position = s.name)),
            s.areas, NULL
        FROM staffed s
        WHERE NOT EXISTS (
                SELECT FROM running f WHERE f.site = s.site AND f.position = s.name)
            AND count_annunciated(
                s.site, s.areas, since - allowance, follow_floods.at, starts_beyond + 1)
                > starts_beyond
    ), found AS MATERIALIZED (
        SELECT c.site, c.position, c.areas, l.starts_at, l.ends_at,
            -- Of one that runs, the first is itself.
            c.running_since IS NOT NULL AND 1 = row_number()
                OVER (PARTITION BY c.site, c.position ORDER BY l.starts_at) AS is_running
        FROM candidate c
        CROSS JOIN LATERAL position_floods(c.site, c.position, c.after, until) l
        -- What rang before and became visible only now does not make floods overlap.
        WHERE c.running_since IS NOT NULL OR l.starts_at >= c.after
    ), started AS (
        INSERT INTO floods (site, position, started_at, ended_at, areas, alarms)
        SELECT n.site, n.position, n.starts_at, n.ends_at, n.areas,
            count_annunciated(
                n.site, n.areas, coalesce(n.ends_at, follow_floods.at) - period,
                coalesce(n.ends_at, follow_floods.at), NULL)
        FROM found n
        WHERE NOT n.is_running
        RETURNING *
    ), ended AS (
        UPDATE floods f
        SET ended_at = greatest(f.started_at, coalesce(e.ends_at, follow_floods.at)),
            alarms = count_annunciated(
                f.site, f.areas, coalesce(e.ends_at, follow_floods.at) - period,
                coalesce(e.ends_at, follow_floods.at), NULL)
        FROM candidate c
        LEFT JOIN found e ON e.site = c.site AND e.position = c.position AND e.is_running
        WHERE c.running_since IS NOT NULL AND f.site = c.site AND f.position = c.position
            AND f.started_at = c.running_since
        RETURNING f.*
    ), told AS (
        SELECT 'flood.started' AS event, s.site, s.position, s.started_at AS at,
            flood_document(
                ROW(s.site, s.position, s.started_at, NULL, s.areas, s.alarms)::floods)
                AS document
        FROM started s
        UNION ALL
        SELECT 'flood.ended', e.site, e.position, e.ended_at, flood_document(e)
        FROM (
            SELECT * FROM started s WHERE s.ended_at IS NOT NULL
            UNION ALL SELECT * FROM ended
        ) e
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
-- Nobody asks for it any more: staffed_spans tells it of any time.
DROP FUNCTION staffed_positions(timestamptz);

-- Hours and windows.

-- The beginning of the hour, or of the ten minutes, in which an instant lies for a site: by its local
-- clock, which is not everywhere a whole number of hours off UTC.
CREATE FUNCTION local_span_start(instant timestamptz, length interval, zone text)
RETURNS timestamptz
LANGUAGE sql STABLE PARALLEL SAFE
RETURN date_bin(length, instant, timestamp '2000-01-01' AT TIME ZONE zone);

-- One row says so many windows (`tally` windows) of an hour had `value` alarms at a position, or no
-- longer are said to have had; that so many floods began in it (floods); or for how many seconds of
-- it there was one at a position (flood_seconds).
CREATE TABLE load_ledger (
    site text NOT NULL REFERENCES sites,
    ordinal bigint GENERATED ALWAYS AS IDENTITY,
    amount bigint NOT NULL CHECK (amount <> 0),
    change bigint NOT NULL,
    position bigint NOT NULL,
    watched_in timestamptz NOT NULL,
    tally text NOT NULL CHECK (tally IN ('windows', 'floods', 'flood_seconds')),
    value bigint,
    PRIMARY KEY (site, watched_in, ordinal),
    CHECK ((tally = 'windows') = (value IS NOT NULL))
);
GRANT SELECT, INSERT ON load_ledger TO leitstand;
CREATE INDEX load_ledger_by_position ON load_ledger (position);

-- From when and up to when a site's hours were in the ledger, from a position on. What rang and has
-- a position up to `counted_position` is in it.
CREATE TABLE load_recordings (
    site text NOT NULL REFERENCES sites,
    position bigint NOT NULL,
    recorded_since timestamptz NOT NULL,
    recorded_until timestamptz NOT NULL,
    counted_position bigint NOT NULL,
    PRIMARY KEY (site, position)
);
GRANT SELECT, INSERT ON load_recordings TO leitstand;

-- From when on a site's hours have to be counted again. The row becomes visible with what has
-- changed: whoever counted the hour before did not see it, and whoever counts it later does.
CREATE TABLE load_due (
    ordinal bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    site text NOT NULL,
    lower timestamptz NOT NULL
);
GRANT SELECT, INSERT, DELETE ON load_due TO leitstand;

CREATE FUNCTION make_load_due() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO load_due (site, lower)
    VALUES (NEW.site, coalesce(NEW.valid_to, NEW.valid_from));
    RETURN NULL;
END
$$;
CREATE TRIGGER load_changed AFTER INSERT OR UPDATE ON position_periods
    FOR EACH ROW WHEN (coalesce(NEW.valid_to, NEW.valid_from) > '-infinity')
    EXECUTE FUNCTION make_load_due();

-- What a site's positions bore in full hours, as the ledger has it. Floods begin and end at full
-- seconds here, so that an hour has at most 3600 of each position.
CREATE FUNCTION load_hours(site text, lower timestamptz, upper timestamptz)
RETURNS TABLE (watched_in timestamptz, tally text, value bigint, amount bigint)
LANGUAGE sql STABLE SET jit = off AS $$
    WITH zone AS MATERIALIZED (
        SELECT s.time_zone FROM sites s WHERE s.id = load_hours.site
    ), staffed AS MATERIALIZED (
        SELECT * FROM staffed_spans(load_hours.site, load_hours.lower, load_hours.upper)
    ), bearing AS (
        SELECT DISTINCT s.name, t.window_start
        FROM staffed s CROSS JOIN zone z
        CROSS JOIN LATERAL generate_series(
            local_span_start(s.starts_at, '10 minutes', z.time_zone),
            s.ends_at - interval '1 microsecond', interval '10 minutes') t (window_start)
    ), borne AS (
        SELECT s.name, local_span_start(l.happened_at, '10 minutes', z.time_zone) AS window_start,
            count(*) AS alarms
        FROM staffed s CROSS JOIN zone z
        JOIN annunciation_ledger l ON l.site = load_hours.site AND l.fact = 'annunciated'
            AND l.happened_at >= s.starts_at AND l.happened_at < s.ends_at
            AND (s.areas IS NULL OR l.area = ANY (s.areas))
        GROUP BY 1, 2
    ), flood AS (
        SELECT date_trunc('second', f.starts_at) AS starts_at,
            date_trunc('second', coalesce(f.ends_at, load_hours.upper)) AS ends_at
        FROM (SELECT DISTINCT s.name FROM staffed s) n
        CROSS JOIN LATERAL position_floods(
            load_hours.site, n.name, load_hours.lower, load_hours.upper) f
    )
    SELECT local_span_start(w.window_start, '1 hour', z.time_zone), 'windows',
        coalesce(b.alarms, 0), count(*)
    FROM bearing w CROSS JOIN zone z
    LEFT JOIN borne b USING (name, window_start)
    GROUP BY 1, 3
    UNION ALL
    SELECT local_span_start(f.starts_at, '1 hour', z.time_zone), 'floods', NULL, count(*)
    FROM flood f CROSS JOIN zone z
    WHERE f.starts_at >= load_hours.lower
    GROUP BY 1
    UNION ALL
    SELECT h.watched_in, 'flood_seconds', NULL,
        sum(extract(epoch FROM least(f.ends_at, h.watched_in + interval '1 hour')
            - greatest(f.starts_at, h.watched_in)))::bigint
    FROM flood f CROSS JOIN zone z
    CROSS JOIN LATERAL generate_series(
        local_span_start(greatest(f.starts_at, load_hours.lower), '1 hour', z.time_zone),
        f.ends_at - interval '1 microsecond', interval '1 hour') h (watched_in)
    WHERE f.starts_at < f.ends_at
    GROUP BY 1
$$;

-- Counts the hours that are over, and those that have changed since, and records how they differ
-- from what is counted already. One instance at a time. Returns whether anything is left to do.
CREATE FUNCTION record_load(at timestamptz DEFAULT clock_timestamp()) RETURNS boolean
LANGUAGE plpgsql SET jit = off AS $$
<<recording>>
DECLARE
    -- What rings is recorded a moment later; what takes longer is counted again.
    allowance CONSTANT interval := '2 minutes';
    -- At once, so that others wait for a moment only.
    length_max CONSTANT interval := '31 days';
    -- Whatever has one of these positions is seen from here on.
    counted CONSTANT bigint := (SELECT coalesce(max(p.position), 0) FROM positions p);
    due load_due[];
    known record;
    change bigint;
    position bigint;
    until timestamptz;
    differences load_ledger[] := '{}';
    more load_ledger[];
    recordings load_recordings[] := '{}';
    is_left boolean := false;
BEGIN
    IF NOT pg_try_advisory_xact_lock(7236016) THEN
        RETURN false;
    END IF;
    WITH taken AS (
        DELETE FROM load_due RETURNING *
    )
    SELECT array_agg(t) INTO due FROM taken t;
    FOR known IN
        WITH last AS (
            SELECT s.id AS site, s.time_zone, r.recorded_since, r.recorded_until,
                r.counted_position,
                (SELECT local_span_start(min(a.raised_at), '1 hour', s.time_zone)
                    FROM alarms a WHERE a.site = s.id) AS since
            FROM sites s
            LEFT JOIN LATERAL (
                SELECT * FROM load_recordings l WHERE l.site = s.id
                ORDER BY l.position DESC LIMIT 1
            ) r ON true
        ), changed AS (
            SELECT l.site,
                local_span_start(
                    least(
                        (SELECT min(d.lower) FROM unnest(due) d WHERE d.site = l.site),
                        (SELECT min(a.happened_at) FROM annunciation_ledger a
                            WHERE a.site = l.site AND a.fact = 'annunciated'
                                AND a.happened_at < l.recorded_until
                                AND (a.position > l.counted_position OR a.position IS NULL))),
                    '1 hour', l.time_zone) AS lower
            FROM last l
        )
        SELECT l.site, l.since, coalesce(l.recorded_until, l.since) AS recorded_until,
            local_span_start(recording_until, '1 hour', l.time_zone) AS over,
            greatest(
                l.since,
                least(
                    coalesce(l.recorded_until, l.since), c.lower,
                    CASE WHEN l.since < l.recorded_since THEN l.since END)) AS lower
        FROM last l JOIN changed c USING (site)
        CROSS JOIN (SELECT record_load.at - allowance) AS o (recording_until)
        WHERE l.since IS NOT NULL
        ORDER BY l.site
    LOOP
        CONTINUE WHEN known.lower >= greatest(known.over, known.recorded_until);
        until := least(
            greatest(known.over, known.recorded_until), known.lower + length_max);
        IF until < known.recorded_until THEN
            INSERT INTO load_due (site, lower) VALUES (known.site, until);
        END IF;
        is_left := is_left OR until < greatest(known.over, known.recorded_until);
        SELECT array_agg(
            ROW(known.site, NULL, d.amount, NULL, NULL, d.watched_in, d.tally, d.value)::load_ledger)
        INTO more
        FROM (
            SELECT c.watched_in, c.tally, c.value, sum(c.amount)::bigint AS amount
            FROM (
                SELECT * FROM load_hours(known.site, known.lower, recording.until)
                UNION ALL
                SELECT l.watched_in, l.tally, l.value, -l.amount FROM load_ledger l
                WHERE l.site = known.site
                    AND l.watched_in >= known.lower AND l.watched_in < recording.until
            ) c
            GROUP BY c.watched_in, c.tally, c.value
            HAVING sum(c.amount) <> 0
        ) d;
        -- Also where nothing has come of it: else the same would be counted again for ever.
        IF more IS NOT NULL OR until > known.recorded_until
            OR known.lower < known.recorded_until
        THEN
            differences := differences || coalesce(more, '{}');
            recordings := recordings || ROW(
                known.site, NULL, known.since, greatest(until, known.recorded_until),
                counted)::load_recordings;
        END IF;
    END LOOP;
    IF cardinality(recordings) = 0 THEN
        RETURN is_left;
    END IF;
    change := nextval('changes');
    INSERT INTO journal (change, ordinal, event, site, subject, occurred_at, document)
    SELECT recording.change, row_number() OVER (ORDER BY r.site), 'alarm-load.recorded', r.site,
        r.site, clock_timestamp(), json_build_object(
            'site', r.site, 'recorded_since', rfc3339(r.recorded_since),
            'recorded_until', rfc3339(r.recorded_until),
            'rows', (SELECT count(*) FROM unnest(differences) d WHERE d.site = r.site))
    FROM unnest(recordings) r;
    -- Not the last statement: each row carries the position, so nobody has to look it up later.
    position := append_position(change);
    INSERT INTO load_ledger (site, amount, change, position, watched_in, tally, value)
    SELECT d.site, d.amount, recording.change, recording.position, d.watched_in, d.tally, d.value
    FROM unnest(differences) d;
    INSERT INTO load_recordings (
        site, position, recorded_since, recorded_until, counted_position)
    SELECT r.site, recording.position, r.recorded_since, r.recorded_until, r.counted_position
    FROM unnest(recordings) r;
    RETURN is_left;
END
$$;

-- What the ledger says differently from what it comes to, counted anew from what rang and who sat
-- where, as ledger_differences() does. What is due to be counted is left out. `known_position`: the
-- last one.
CREATE FUNCTION load_ledger_differences()
RETURNS TABLE (
    kind text, site text, subject text, known_position bigint, fact text, amount bigint)
LANGUAGE sql STABLE SET jit = off AS $$
    WITH recorded AS (
        SELECT DISTINCT ON (r.site) r.* FROM load_recordings r ORDER BY r.site, r.position DESC
    ), counted AS (
        SELECT r.site, h.watched_in, h.tally, h.value, -h.amount AS amount
        FROM recorded r
        CROSS JOIN LATERAL generate_series(
            r.recorded_since, r.recorded_until - interval '1 microsecond', interval '31 days')
            AS stretch (starts_at)
        CROSS JOIN LATERAL load_hours(
            r.site, stretch.starts_at,
            least(stretch.starts_at + interval '31 days', r.recorded_until)) h
        UNION ALL
        SELECT l.site, l.watched_in, l.tally, l.value, l.amount FROM load_ledger l
    ), due AS (
        SELECT d.site, d.lower FROM load_due d
        UNION ALL
        SELECT a.site, a.happened_at
        FROM annunciation_ledger a JOIN recorded r ON r.site = a.site
        JOIN positions p ON p.change = a.change
        WHERE p.position > r.counted_position AND a.fact = 'annunciated'
            AND a.happened_at < r.recorded_until
    )
    SELECT 'load', c.site, c.site, (SELECT max(p.position) FROM positions p),
        jsonb_build_object(
            'watched_in', c.watched_in, 'tally', c.tally, 'value', c.value)::text,
        sum(c.amount)::bigint
    FROM counted c
    WHERE NOT EXISTS (
        SELECT FROM due d
        WHERE d.site = c.site AND d.lower < c.watched_in + interval '1 hour')
    GROUP BY c.site, c.watched_in, c.tally, c.value
    HAVING sum(c.amount) <> 0
    ORDER BY c.site, c.watched_in, c.tally, c.value
$$;

-- Sums by month.
CREATE TABLE load_cells (
    site text NOT NULL,
    cube text NOT NULL CHECK (cube = 'base'),
    run integer NOT NULL,
    month date NOT NULL,
    tally text NOT NULL,
    amount bigint NOT NULL,
    -- Of windows how many had how many alarms: int8send of the alarms and int4send of the windows,
    -- one pair behind the other.
    loads bytea NOT NULL
);
ALTER TABLE load_cells ALTER loads SET STORAGE EXTERNAL;
GRANT SELECT ON load_cells TO leitstand;
CREATE INDEX load_cells_by_run ON load_cells (run, cube, site, month);

CREATE FUNCTION sum_loads(run integer, after_position bigint, to_position bigint)
RETURNS SETOF load_cells
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT c.site, 'base', run, c.month, c.tally, sum(c.amount)::bigint,
        coalesce(
            string_agg(int8send(c.value) || int4send(c.amount::integer), '' ORDER BY c.value)
                FILTER (WHERE c.value IS NOT NULL),
            '')
    FROM (
        SELECT l.site, local_month(l.watched_in, s.time_zone) AS month, l.tally, l.value,
            sum(l.amount) AS amount
        FROM load_ledger l JOIN sites s ON s.id = l.site
        WHERE l.position > after_position AND l.position <= to_position
        GROUP BY 1, 2, 3, 4
        HAVING sum(l.amount) <> 0
    ) c
    GROUP BY c.site, c.month, c.tally;
END;

INSERT INTO ledger_sums (summed_by, cells, ledger)
VALUES ('sum_loads', 'load_cells', 'load_ledger');
