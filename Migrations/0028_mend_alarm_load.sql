-- Floods that nobody followed are told all the same, and each staffing of a position begins with
-- nothing heard. The limits of a flood stood in two places, and the age of what is stale in three.

-- A flood (ISA-18.2) starts with more than so many alarms in the period, and ends with fewer.
CREATE FUNCTION flood_limits(
    OUT period interval, OUT starts_beyond integer, OUT ends_below integer)
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT interval '10 minutes', 10, 5;
END;

-- As before, but bounded, so that no more is read than what rang meanwhile.
CREATE OR REPLACE FUNCTION heard_annunciations(
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
        AND l.happened_at >= heard_annunciations.lower
        AND l.happened_at < heard_annunciations.upper
        AND l.happened_at >= s.starts_at AND l.happened_at < s.ends_at
        AND (s.areas IS NULL OR l.area = ANY (s.areas))
    JOIN merged m ON m.span @> l.happened_at;
END;

-- The floods of an observer's position in [lower, upper): each from the alarm that is one too many
-- for those who sit there, until they hear few enough, or nobody sits there. What rang before they
-- came is not theirs. `ends_at` NULL: it goes on at `upper`. `running_since`: of the flood that is
-- known to go on at `lower`; it comes first, and what rang before is not looked at.
DROP FUNCTION position_floods(text, text, timestamptz, timestamptz);
CREATE FUNCTION observer_position_floods(
    site text, name text, lower timestamptz, upper timestamptz,
    running_since timestamptz DEFAULT NULL)
RETURNS TABLE (starts_at timestamptz, ends_at timestamptz)
-- Compiling takes longer than running.
LANGUAGE plpgsql STABLE ROWS 5 SET jit = off AS $$
DECLARE
    limits CONSTANT record := flood_limits();
    instant CONSTANT interval := '1 microsecond';
    -- An instant at which there is no flood, or the running one.
    since timestamptz := observer_position_floods.lower;
    ring record;
    -- The last ones of this staffing, the last first.
    recent timestamptz[] := '{}';
    staffed_until timestamptz;
BEGIN
    WHILE running_since IS NULL AND limits.ends_below <= (
        SELECT count(*) FROM heard_annunciations(
            observer_position_floods.site, observer_position_floods.name,
            since - limits.period + instant, since + instant))
    LOOP
        since := since - limits.period;
    END LOOP;
    starts_at := running_since;
    FOR ring IN
        SELECT h.* FROM heard_annunciations(
            observer_position_floods.site, observer_position_floods.name,
            since - limits.period + instant, observer_position_floods.upper) h
        ORDER BY h.happened_at
    LOOP
        IF starts_at IS NOT NULL AND ring.happened_at > since THEN
            ends_at := least(
                staffed_until, coalesce(recent[limits.ends_below] + limits.period, since));
            IF ends_at < ring.happened_at THEN
                IF ends_at > observer_position_floods.lower OR starts_at = running_since THEN
                    RETURN NEXT;
                END IF;
                starts_at := NULL;
            END IF;
        END IF;
        IF ring.staffed_until > staffed_until THEN
            recent := '{}';
        END IF;
        staffed_until := ring.staffed_until;
        recent := (ring.happened_at || recent)[:limits.starts_beyond + 1];
        IF starts_at IS NULL
            AND recent[limits.starts_beyond + 1] > ring.happened_at - limits.period
        THEN
            starts_at := ring.happened_at;
        END IF;
    END LOOP;
    IF starts_at IS NOT NULL THEN
        ends_at := least(
            staffed_until, coalesce(recent[limits.ends_below] + limits.period, since));
        IF ends_at >= observer_position_floods.upper THEN
            ends_at := NULL;
        END IF;
        IF ends_at IS NULL OR ends_at > observer_position_floods.lower
            OR starts_at = running_since
        THEN
            RETURN NEXT;
        END IF;
    END IF;
END
$$;

-- How many alarms those who sit at a position, or sat there last, have heard in a flood's period up
-- to an instant.
CREATE FUNCTION heard_lately(site text, name text, at timestamptz) RETURNS bigint
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT count(*) FROM (
        SELECT h.staffed_until, max(h.staffed_until) OVER () AS last
        FROM heard_annunciations(
            heard_lately.site, heard_lately.name,
            heard_lately.at - (flood_limits()).period + interval '1 microsecond',
            heard_lately.at + interval '1 microsecond') h
    ) h
    WHERE h.staffed_until = h.last;
END;

-- Up to when floods have been followed.
CREATE TABLE flood_following (
    is_only boolean PRIMARY KEY DEFAULT true CHECK (is_only),
    followed_until timestamptz NOT NULL
);
GRANT SELECT, UPDATE ON flood_following TO leitstand;
-- As far back as floods were looked for before.
INSERT INTO flood_following (followed_until) VALUES (clock_timestamp() - interval '11 minutes');

-- Tells the floods that have begun or ended since it was called last, however long ago that was,
-- and takes the instants from the function that counts them years later. Returns how many
-- beginnings and ends it told.
CREATE OR REPLACE FUNCTION follow_floods(at timestamptz DEFAULT clock_timestamp()) RETURNS bigint
LANGUAGE plpgsql SET jit = off AS $$
DECLARE
    limits CONSTANT record := flood_limits();
    instant CONSTANT interval := '1 microsecond';
    -- By how much what has rung may become visible later, and what is noted of the following lie
    -- behind, so that a call which finds nothing does not write.
    allowance CONSTANT interval := '1 minute';
    until CONSTANT timestamptz := follow_floods.at + instant;
    followed timestamptz;
    since timestamptz;
    told_count bigint;
BEGIN
    -- One instance at a time; what another does meanwhile need not be done again.
    IF NOT pg_try_advisory_xact_lock(7236006) THEN
        RETURN 0;
    END IF;
    -- The clock may have been set back.
    SELECT least(f.followed_until, follow_floods.at) INTO STRICT followed FROM flood_following f;
    since := followed - limits.period - allowance;
    UPDATE flood_following f SET followed_until = follow_floods.at
    WHERE f.followed_until NOT BETWEEN follow_floods.at - allowance AND follow_floods.at;
    WITH staffed AS MATERIALIZED (
        SELECT s.id AS site, p.name, p.areas, p.starts_at, p.ends_at FROM sites s
        CROSS JOIN LATERAL staffed_spans(s.id, since, until) p
    ), candidate AS MATERIALIZED (
        SELECT f.site, f.position, greatest(f.started_at, followed) AS after,
            f.started_at AS running_since
        FROM floods f WHERE f.ended_at IS NULL
        UNION ALL
        -- What rang before and became visible only now does not make floods overlap.
        SELECT s.site, s.name,
            greatest(
                since,
                (SELECT max(f.ended_at) FROM floods f
                    WHERE f.site = s.site AND f.position = s.name)),
            NULL
        FROM staffed s
        WHERE NOT EXISTS (
            SELECT FROM floods f
            WHERE f.site = s.site AND f.position = s.name AND f.ended_at IS NULL)
        GROUP BY s.site, s.name
        HAVING sum(
            count_annunciated(
                s.site, s.areas, s.starts_at - instant, s.ends_at - instant,
                limits.starts_beyond + 1)) > limits.starts_beyond
    ), found AS MATERIALIZED (
        SELECT c.site, c.position, l.starts_at, l.ends_at,
            l.starts_at IS NOT DISTINCT FROM c.running_since AS is_told,
            heard_lately(c.site, c.position, l.starts_at) AS alarms,
            CASE WHEN l.ends_at IS NOT NULL
                THEN heard_lately(c.site, c.position, l.ends_at) END AS alarms_at_end
        FROM candidate c
        CROSS JOIN LATERAL observer_position_floods(
            c.site, c.position, c.after, until, c.running_since) l
        -- The clock may have been set back behind a flood that was told.
        WHERE c.after < until AND (l.starts_at > c.after OR l.starts_at = c.running_since)
    ), ended AS (
        UPDATE floods f SET ended_at = n.ends_at, alarms = n.alarms_at_end
        FROM found n
        WHERE n.is_told AND n.ends_at IS NOT NULL
            AND f.site = n.site AND f.position = n.position AND f.started_at = n.starts_at
        RETURNING f.site
    ), started AS (
        INSERT INTO floods (site, position, started_at, ended_at, areas, alarms)
        SELECT n.site, n.position, n.starts_at, n.ends_at,
            (SELECT s.areas FROM staffed s
                WHERE s.site = n.site AND s.name = n.position
                    AND s.starts_at <= n.starts_at AND s.ends_at > n.starts_at
                LIMIT 1),
            coalesce(n.alarms_at_end, n.alarms)
        -- A position has one running flood: what ends comes first.
        FROM found n CROSS JOIN (SELECT count(*) FROM ended) e
        WHERE NOT n.is_told
    ), told AS (
        SELECT 'flood.started' AS event, n.site, n.position, n.starts_at AS at,
            flood_document(
                ROW(n.site, n.position, n.starts_at, NULL, NULL, n.alarms)::floods) AS document
        FROM found n WHERE NOT n.is_told
        UNION ALL
        SELECT 'flood.ended', n.site, n.position, n.ends_at,
            flood_document(
                ROW(n.site, n.position, n.starts_at, n.ends_at, NULL, n.alarms_at_end)::floods)
        FROM found n WHERE n.ends_at IS NOT NULL
    )
    INSERT INTO journal (change, ordinal, event, site, subject, occurred_at, document)
    -- The subquery is run once, and only if there is a row.
    SELECT (SELECT nextval('changes')), row_number() OVER (ORDER BY told.at, site, position),
        event, site, position, told.at, document
    FROM told;
    GET DIAGNOSTICS told_count = ROW_COUNT;
    IF told_count > 0 THEN
        PERFORM append_position(currval('changes'));
    END IF;
    RETURN told_count;
END
$$;

-- As before, but each time that an alarm of a source has rung counts, as in the numbers beside it.
CREATE OR REPLACE FUNCTION alarm_load_document(site text, at timestamptz) RETURNS json
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
                            FROM annunciation_ledger l
                            WHERE l.site = s.id AND l.fact = 'annunciated'
                                AND l.happened_at > alarm_load_document.at - interval '1 day'
                                AND l.happened_at <= alarm_load_document.at
                                AND (w.areas IS NULL OR l.area = ANY (w.areas))
                            GROUP BY l.source
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

-- What is stale.

-- How long an alarm has been active since it rang when it becomes stale (ISA-18.2).
CREATE FUNCTION stale_after() RETURNS interval
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN interval '24 hours';

-- Each as before, by that one.
CREATE OR REPLACE FUNCTION mark_stale_alarms(at timestamptz DEFAULT clock_timestamp()) RETURNS bigint
LANGUAGE plpgsql AS $$
<<marking>>
DECLARE
    change bigint;
    marked bigint;
BEGIN
    PERFORM FROM alarms
    WHERE condition = 'active' AND NOT stale
        AND annunciated_at <= mark_stale_alarms.at - stale_after()
    LIMIT 1;
    IF NOT FOUND THEN
        RETURN 0;
    END IF;
    change := nextval('changes');
    WITH due AS (
        SELECT site, id FROM alarms
        WHERE condition = 'active' AND NOT stale
            AND annunciated_at <= mark_stale_alarms.at - stale_after()
        ORDER BY annunciated_at
        LIMIT 1000
        FOR UPDATE SKIP LOCKED
    ), changed AS (
        UPDATE alarms a
        SET stale = true
        FROM due
        WHERE a.site = due.site AND a.id = due.id
        RETURNING a.site, a.id, a.annunciated_at + stale_after() AS stale_at,
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

CREATE OR REPLACE FUNCTION count_annunciation() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO annunciation_ledger (site, amount, change, alarm, fact, happened_at, area,
        monitored, camera, pattern, source, chattering)
    SELECT NEW.site, 1, ledger_change(), NEW.id, f.fact, f.happened_at, NEW.area,
        (SELECT l.monitored FROM alarm_ledger l WHERE l.alarm = NEW.id ORDER BY l.ordinal LIMIT 1),
        NEW.camera, NEW.pattern, alarm_source(NEW.camera, NEW.pattern), NEW.chattering
    FROM (VALUES
        ('annunciated', NEW.annunciated_at,
            NEW.annunciated_at IS DISTINCT FROM OLD.annunciated_at),
        ('stale', NEW.annunciated_at + stale_after(), NEW.stale AND NOT OLD.stale)
    ) f (fact, happened_at, is_new)
    WHERE f.is_new AND f.happened_at IS NOT NULL;
    RETURN NULL;
END
$$;

CREATE OR REPLACE FUNCTION journaled_annunciations()
RETURNS TABLE (site text, alarm text, known_position bigint, fact jsonb)
LANGUAGE sql STABLE
BEGIN ATOMIC
    WITH document AS (
        SELECT d.*, lag(d.document) OVER (PARTITION BY d.subject ORDER BY d.position) AS before,
            first_value(d.position) OVER (PARTITION BY d.subject ORDER BY d.position) AS raised
        FROM (
            -- What a transaction says of one alarm last is what it has made of it.
            SELECT DISTINCT ON (j.subject, p.position) j.site, j.subject, p.position,
                j.document::jsonb AS document
            FROM journal j JOIN positions p ON p.change = j.change
            WHERE j.event LIKE 'alarm.%'
            ORDER BY j.subject, p.position, j.ordinal DESC
        ) d
    ), area_version AS (
        SELECT j.subject, (j.document ->> 'monitored')::boolean AS monitored, p.position,
            lead(p.position) OVER (PARTITION BY j.subject ORDER BY p.position) AS replaced
        FROM journal j JOIN positions p ON p.change = j.change
        WHERE j.event LIKE 'area.%'
    )
    SELECT d.site, d.subject, d.position, jsonb_build_object(
        'fact', f.fact,
        'happened_at', f.happened_at,
        'area', d.document -> 'area',
        'monitored', a.monitored,
        'camera', d.document -> 'camera',
        'pattern', d.document -> 'pattern',
        'source', alarm_source((d.document ->> 'camera')::uuid, d.document ->> 'pattern'),
        'chattering', d.document -> 'chattering')
    FROM document d
    CROSS JOIN LATERAL (
        SELECT 'annunciated' AS fact, (d.document ->> 'annunciated_at')::timestamptz AS happened_at
        WHERE d.document ->> 'annunciated_at' IS DISTINCT FROM d.before ->> 'annunciated_at'
        UNION ALL
        SELECT 'stale', (d.document ->> 'annunciated_at')::timestamptz + stale_after()
        WHERE (d.document ->> 'stale')::boolean
            AND NOT coalesce((d.before ->> 'stale')::boolean, false)
    ) f
    LEFT JOIN area_version a ON a.subject = d.document ->> 'area' AND a.position <= d.raised
        AND (a.replaced IS NULL OR a.replaced > d.raised)
    WHERE f.happened_at IS NOT NULL;
END;

-- Hours and windows.

-- As before, with floods as they are told now, and bounded.
CREATE OR REPLACE FUNCTION load_hours(site text, lower timestamptz, upper timestamptz)
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
            AND l.happened_at >= load_hours.lower AND l.happened_at < load_hours.upper
            AND l.happened_at >= s.starts_at AND l.happened_at < s.ends_at
            AND (s.areas IS NULL OR l.area = ANY (s.areas))
        GROUP BY 1, 2
    ), flood AS (
        SELECT date_trunc('second', f.starts_at) AS starts_at,
            date_trunc('second', coalesce(f.ends_at, load_hours.upper)) AS ends_at
        FROM (SELECT DISTINCT s.name FROM staffed s) n
        CROSS JOIN LATERAL observer_position_floods(
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

-- Those that somebody has left may have had other floods.
INSERT INTO load_due (site, lower)
SELECT r.site, min(r.recorded_since) FROM load_recordings r
WHERE EXISTS (
    SELECT FROM observer_position_periods p
    WHERE p.site = r.site AND (p.staffed IS NOT NULL OR p.valid_to IS NOT NULL))
GROUP BY r.site;

-- As before, but what is not counted yet is found by its position, not in all that has rung.
CREATE OR REPLACE FUNCTION record_load(at timestamptz DEFAULT clock_timestamp()) RETURNS boolean
LANGUAGE plpgsql SET jit = off
-- How few rows lie behind a position is known only of the position itself.
SET plan_cache_mode = force_custom_plan AS $$
<<recording>>
DECLARE
    -- What rings is recorded a moment later; what takes longer is counted again.
    allowance CONSTANT interval := '2 minutes';
    -- At once, so that others wait for a moment only.
    length_max CONSTANT interval := '31 days';
    -- Whatever has one of these positions is seen from here on.
    counted CONSTANT bigint := (SELECT coalesce(max(p.position), 0) FROM positions p);
    -- What has a position up to this one is counted at each site that has any hours.
    counted_everywhere bigint;
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
    SELECT min(r.counted_position) INTO counted_everywhere
    FROM sites s
    CROSS JOIN LATERAL (
        SELECT l.counted_position FROM load_recordings l WHERE l.site = s.id
        ORDER BY l.position DESC LIMIT 1
    ) r;
    FOR known IN
        -- Each part has the index: the server's sessions combine none.
        WITH uncounted AS MATERIALIZED (
            SELECT a.site, a.happened_at, a.position FROM annunciation_ledger a
            WHERE a.fact = 'annunciated' AND a.position > counted_everywhere
            UNION ALL
            SELECT a.site, a.happened_at, a.position FROM annunciation_ledger a
            WHERE a.fact = 'annunciated' AND a.position IS NULL
        ), last AS (
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
                        (SELECT min(u.happened_at) FROM uncounted u
                            WHERE u.site = l.site AND u.happened_at < l.recorded_until
                                AND (u.position > l.counted_position OR u.position IS NULL))),
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
