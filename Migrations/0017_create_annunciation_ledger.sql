-- Each ringing of an alarm, as rows that are only ever added. The alarm itself tells when it rang
-- last; how often observers were called, and by what, only this does (ISA-18.2, alarm load).
--
-- Only alarms of production ring (annunciate_alarms, place_raised_alarm), so rows have no mode.

-- A source of alarms (a camera with a pattern) as a number: as good as unique, the same for ever.
CREATE FUNCTION alarm_source(camera uuid, pattern text) RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN ('x' || encode(
    substring(sha256(convert_to(camera::text || ' ' || pattern, 'UTF8')) FOR 8), 'hex')
)::bit(64)::bigint;

CREATE TABLE annunciation_ledger (
    site text NOT NULL,
    ordinal bigint GENERATED ALWAYS AS IDENTITY,
    -- What has rung has rung: nothing is taken back.
    amount smallint NOT NULL CHECK (amount = 1),
    change bigint NOT NULL,
    position bigint,
    -- No reference to the alarm, which is never deleted: it would cost each raise a lookup.
    alarm uuid NOT NULL,
    -- `annunciated`: it rang; `stale`: it was active a day after it had rung.
    fact text NOT NULL CHECK (fact IN ('annunciated', 'stale')),
    happened_at timestamptz NOT NULL,
    area uuid NOT NULL,
    -- Whether the area was monitored when the alarm was raised.
    monitored boolean NOT NULL,
    camera uuid NOT NULL,
    pattern text NOT NULL,
    source bigint NOT NULL,
    -- It was at least the third of its source within ten minutes, when it rang or before.
    chattering boolean NOT NULL,
    PRIMARY KEY (site, happened_at, ordinal)
);
GRANT SELECT, INSERT ON annunciation_ledger TO leitstand;
CREATE INDEX annunciation_ledger_by_position ON annunciation_ledger (position);

-- As before, and counts in the same transaction those that ring at once.
CREATE OR REPLACE FUNCTION count_raised_alarms() RETURNS trigger
LANGUAGE plpgsql AS $$
DECLARE
    number CONSTANT bigint := ledger_change();
BEGIN
    INSERT INTO alarm_ledger (site, amount, change, alarm, raised_in, area, monitored, camera,
        pattern, model, rule, operating_mode, late, verdict, dismissal_reason, in_incident,
        dispatched, arrived)
    SELECT r.site, 1, number, r.id, quarter_hour(r.raised_at), r.area, a.monitored, r.camera,
        r.pattern, coalesce(r.raised_by_model, nullif(r.model, '')), r.rule_version,
        r.operating_mode, r.late, r.verdict, r.dismissal_reason, false, false, false
    FROM raised r JOIN areas a ON a.site = r.site AND a.id = r.area
    -- As with matters: what the area was is known before this change or after it.
    FOR SHARE OF a;
    INSERT INTO annunciation_ledger (site, amount, change, alarm, fact, happened_at, area,
        monitored, camera, pattern, source, chattering)
    SELECT r.site, 1, number, r.id, 'annunciated', r.annunciated_at, r.area, a.monitored,
        r.camera, r.pattern, alarm_source(r.camera, r.pattern), r.chattering
    FROM raised r JOIN areas a ON a.site = r.site AND a.id = r.area
    WHERE r.annunciated_at IS NOT NULL;
    RETURN NULL;
END
$$;

-- What rings later than it was raised, or again, and what has become stale.
CREATE FUNCTION count_annunciation() RETURNS trigger
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
        ('stale', NEW.annunciated_at + interval '24 hours', NEW.stale AND NOT OLD.stale)
    ) f (fact, happened_at, is_new)
    WHERE f.is_new AND f.happened_at IS NOT NULL;
    RETURN NULL;
END
$$;
-- Ingest extends and clears alarms many times a second, and must not feel this.
CREATE TRIGGER alarm_annunciated AFTER UPDATE OF annunciated_at, stale ON alarms
    FOR EACH ROW
    WHEN (OLD.annunciated_at IS DISTINCT FROM NEW.annunciated_at OR OLD.stale <> NEW.stale)
    EXECUTE FUNCTION count_annunciation();

-- The rows that the ledger must have, as the documents of alarms in the journal tell.
CREATE FUNCTION journaled_annunciations()
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
        SELECT 'stale', (d.document ->> 'annunciated_at')::timestamptz + interval '24 hours'
        WHERE (d.document ->> 'stale')::boolean
            AND NOT coalesce((d.before ->> 'stale')::boolean, false)
    ) f
    LEFT JOIN area_version a ON a.subject = d.document ->> 'area' AND a.position <= d.raised
        AND (a.replaced IS NULL OR a.replaced > d.raised)
    WHERE f.happened_at IS NOT NULL;
END;

-- What rang before this migration counts as the journal says, which has all of it.
INSERT INTO annunciation_ledger (site, amount, change, position, alarm, fact, happened_at, area,
    monitored, camera, pattern, source, chattering)
SELECT j.site, 1, p.change, p.position, j.alarm::uuid, f.fact, f.happened_at, f.area, f.monitored,
    f.camera, f.pattern, f.source, f.chattering
FROM journaled_annunciations() j
JOIN positions p ON p.position = j.known_position
CROSS JOIN LATERAL jsonb_populate_record(NULL::annunciation_ledger, j.fact) f
ORDER BY j.known_position, f.happened_at;

-- What the ledger says differently from the journal, as ledger_differences() does.
CREATE FUNCTION annunciation_ledger_differences()
RETURNS TABLE (
    kind text, site text, subject text, known_position bigint, fact text, amount bigint)
LANGUAGE sql STABLE
BEGIN ATOMIC
    WITH counted AS (
        SELECT j.site, j.alarm, j.known_position AS position, j.fact, -1 AS amount
        FROM journaled_annunciations() j
        UNION ALL
        SELECT l.site, l.alarm::text, coalesce(l.position, p.position),
            jsonb_build_object(
                'fact', l.fact,
                'happened_at', l.happened_at,
                'area', l.area,
                'monitored', l.monitored,
                'camera', l.camera,
                'pattern', l.pattern,
                'source', l.source,
                'chattering', l.chattering), l.amount
        FROM annunciation_ledger l LEFT JOIN positions p ON p.change = l.change
    )
    SELECT 'annunciation', c.site, c.alarm, c.position, c.fact::text, sum(c.amount)
    FROM counted c
    GROUP BY c.site, c.alarm, c.position, c.fact
    HAVING sum(c.amount) <> 0
    ORDER BY c.site, c.alarm, c.position, sum(c.amount);
END;

-- Sums by month, as those of matters: each cube has the dimensions of its name beside the base's.
CREATE TABLE annunciation_cells (
    site text NOT NULL,
    cube text NOT NULL CHECK (cube IN ('base', 'area', 'camera', 'pattern')),
    run integer NOT NULL,
    month date NOT NULL,
    -- `annunciated`, `chattering` for those of them that were, or `stale`.
    tally text NOT NULL,
    area uuid,
    monitored boolean,
    camera uuid,
    pattern text,
    amount bigint NOT NULL,
    -- Of `annunciated` how many each source has: int8send of the source and int4send of the amount,
    -- one pair behind the other, so that the share of the ten worst of any months can be told.
    sources bytea NOT NULL
);
-- Compressing saves little, and would be undone for each question.
ALTER TABLE annunciation_cells ALTER sources SET STORAGE EXTERNAL;
GRANT SELECT ON annunciation_cells TO leitstand;
CREATE INDEX annunciation_cells_by_run ON annunciation_cells (run, cube, site, month);

CREATE FUNCTION sum_annunciations(run integer, after_position bigint, to_position bigint)
RETURNS SETOF annunciation_cells
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT c.site, c.cube, run, c.month, c.tally, c.area, c.monitored, c.camera, c.pattern,
        sum(c.amount)::bigint,
        coalesce(
            string_agg(int8send(c.source) || int4send(c.amount::integer), '' ORDER BY c.source)
                FILTER (WHERE c.source IS NOT NULL),
            '')
    FROM (
        SELECT r.site, r.month, t.tally, t.source, r.area, r.monitored, r.camera, r.pattern,
            sum(r.amount) AS amount,
            CASE
                WHEN grouping(r.area) = 0 THEN 'area'
                WHEN grouping(r.camera) = 0 THEN 'camera'
                WHEN grouping(r.pattern) = 0 THEN 'pattern'
                ELSE 'base'
            END AS cube
        FROM (
            SELECT l.*, local_month(l.happened_at, s.time_zone) AS month
            FROM annunciation_ledger l JOIN sites s ON s.id = l.site
            WHERE l.position > after_position AND l.position <= to_position
        ) r
        CROSS JOIN LATERAL (
            SELECT r.fact AS tally, CASE r.fact WHEN 'annunciated' THEN r.source END AS source
            UNION ALL
            SELECT 'chattering', NULL WHERE r.chattering AND r.fact = 'annunciated'
        ) t
        GROUP BY r.site, r.month, t.tally, t.source,
            GROUPING SETS ((), (r.area, r.monitored), (r.camera), (r.pattern))
    ) c
    GROUP BY c.site, c.cube, c.month, c.tally, c.area, c.monitored, c.camera, c.pattern;
END;

INSERT INTO ledger_sums (summed_by, cells, ledger)
VALUES ('sum_annunciations', 'annunciation_cells', 'annunciation_ledger');

-- What the runs that are there already cover.
INSERT INTO annunciation_cells
SELECT c.* FROM ledger_runs r
CROSS JOIN LATERAL sum_annunciations(r.run, r.from_position, r.to_position) c;
