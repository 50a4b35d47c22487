-- A position is a place in the journal; where an observer sits is an observer's position, also in the
-- name of the table that keeps which there were when. And that is verified from here on, for which what
-- verifies the ledgers is no longer compiled anew each time.

ALTER TABLE position_periods RENAME TO observer_position_periods;
ALTER INDEX position_periods_pkey RENAME TO observer_position_periods_pkey;
ALTER INDEX position_periods_now RENAME TO observer_position_periods_now;
ALTER TABLE observer_position_periods
    RENAME CONSTRAINT position_periods_site_fkey TO observer_position_periods_site_fkey;
ALTER TABLE observer_position_periods
    RENAME CONSTRAINT position_periods_check TO observer_position_periods_check;
DROP TRIGGER position_period_begun ON observer_positions;
DROP TRIGGER position_period_changed ON observer_positions;
DROP FUNCTION begin_position_period();

CREATE FUNCTION begin_observer_position_period() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    -- After all that is recorded, also where the clock was set back: so it can be told from the
    -- journal with which change a period began and ended.
    now CONSTANT timestamptz := greatest(clock_timestamp(), (
        SELECT p.recorded_at FROM positions p ORDER BY p.position DESC LIMIT 1
    ) + interval '1 microsecond');
    changed_at timestamptz;
BEGIN
    IF TG_OP <> 'INSERT' THEN
        UPDATE observer_position_periods p
        SET valid_to = greatest(now, p.valid_from + interval '1 microsecond')
        WHERE p.site = OLD.site AND p.name = OLD.name AND p.valid_to IS NULL
        RETURNING p.valid_to INTO changed_at;
    ELSIF EXISTS (SELECT FROM sites s WHERE s.id = NEW.site AND s.revision = 1) THEN
        changed_at := '-infinity';
    ELSE
        changed_at := greatest(now, (
            SELECT max(p.valid_to) FROM observer_position_periods p
            WHERE p.site = NEW.site AND p.name = NEW.name));
    END IF;
    IF TG_OP <> 'DELETE' THEN
        INSERT INTO observer_position_periods (site, name, valid_from, areas, staffed)
        VALUES (NEW.site, NEW.name, changed_at, NEW.areas, NEW.staffed);
    END IF;
    RETURN NULL;
END
$$;
REVOKE EXECUTE ON FUNCTION begin_observer_position_period() FROM PUBLIC;
CREATE TRIGGER observer_position_period_begun AFTER INSERT OR DELETE ON observer_positions
    FOR EACH ROW EXECUTE FUNCTION begin_observer_position_period();
CREATE TRIGGER observer_position_period_changed AFTER UPDATE OF areas, staffed ON observer_positions
    FOR EACH ROW
    WHEN ((OLD.areas, OLD.staffed::text) IS DISTINCT FROM (NEW.areas, NEW.staffed::text))
    EXECUTE FUNCTION begin_observer_position_period();

-- What is said of observers' positions differently from the journal's documents of their sites, as
-- ledger_differences() does: each period with the changes with which it began and ended.
CREATE FUNCTION observer_position_differences()
RETURNS TABLE (
    kind text, site text, subject text, known_position bigint, fact text, amount bigint)
LANGUAGE sql STABLE
BEGIN ATOMIC
    WITH version AS (
        SELECT d.*, lag(d.recorded_at) OVER following AS replaces,
            lag(d.position) OVER following AS previous
        FROM (
            -- What a transaction says of a site last is what it has made of it.
            SELECT DISTINCT ON (j.site, p.position) j.site, p.position, p.recorded_at,
                j.document::jsonb -> 'positions' AS places
            FROM journal j JOIN positions p ON p.change = j.change
            WHERE j.event LIKE 'site.%'
            ORDER BY j.site, p.position, j.ordinal DESC
        ) d
        WINDOW following AS (PARTITION BY d.site ORDER BY d.position)
    ), place AS (
        SELECT v.site, v.position, v.previous, e.place ->> 'name' AS name,
            jsonb_build_object('areas', e.place -> 'areas', 'staffed', e.place -> 'staffed')
                AS how
        FROM version v
        CROSS JOIN LATERAL jsonb_array_elements(coalesce(v.places, '[]')) e (place)
    ), changed AS (
        -- From where on it was so, and from where on no longer.
        SELECT p.site, p.name, p.how, p.position, true AS begins
        FROM place p
        LEFT JOIN place b ON b.site = p.site AND b.position = p.previous AND b.name = p.name
        WHERE b.how IS DISTINCT FROM p.how
        UNION ALL
        SELECT p.site, p.name, p.how, v.position, false
        FROM place p
        JOIN version v ON v.site = p.site AND v.previous = p.position
        LEFT JOIN place n ON n.site = v.site AND n.position = v.position AND n.name = p.name
        WHERE n.how IS DISTINCT FROM p.how
    ), kept AS (
        SELECT p.site, p.name,
            jsonb_build_object('areas', p.areas, 'staffed', p.staffed) AS how, c.at, c.begins
        FROM observer_position_periods p
        CROSS JOIN LATERAL (
            VALUES (p.valid_from, true), (p.valid_to, false)
        ) c (at, begins)
        WHERE c.at IS NOT NULL
    ), counted AS (
        SELECT c.site, c.name, c.how, c.position, c.begins, -1 AS amount FROM changed c
        UNION ALL
        SELECT k.site, k.name, k.how, v.position, k.begins, 1
        FROM kept k
        LEFT JOIN version v ON v.site = k.site AND k.at <= v.recorded_at
            AND (v.replaces IS NULL OR k.at > v.replaces)
    )
    SELECT 'observer_position', c.site, c.name, c.position,
        (c.how || jsonb_build_object('begins', c.begins))::text, sum(c.amount)
    FROM counted c
    GROUP BY c.site, c.name, c.position, c.how, c.begins
    HAVING sum(c.amount) <> 0
    ORDER BY c.site, c.name, c.position, sum(c.amount);
END;

-- As before, and says where observers' positions are not those that the journal tells of.
CREATE OR REPLACE FUNCTION load_ledger_differences()
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
    (SELECT 'load', c.site, c.site, (SELECT max(p.position) FROM positions p),
        jsonb_build_object(
            'watched_in', c.watched_in, 'tally', c.tally, 'value', c.value)::text,
        sum(c.amount)::bigint
    FROM counted c
    WHERE NOT EXISTS (
        SELECT FROM due d
        WHERE d.site = c.site AND d.lower < c.watched_in + interval '1 hour')
    GROUP BY c.site, c.watched_in, c.tally, c.value
    HAVING sum(c.amount) <> 0
    ORDER BY c.site, c.watched_in, c.tally, c.value)
    UNION ALL
    SELECT * FROM observer_position_differences()
$$;

-- What they cost is reckoned high, so PostgreSQL compiles them, for seconds of what takes moments.
ALTER FUNCTION alarm_ledger_differences() SET jit = off;
ALTER FUNCTION coverage_ledger_differences() SET jit = off;
