-- Years of a state's detections, alarms, matters, interventions and coverage with all that is known
-- of them when, for the measurement of statistics: most of it recorded at once, some late, three
-- matters in a hundred corrected.
--
-- Run by psql as the superuser in a database that has sites with their areas and cameras and nothing
-- else. Variables: `years` until now, `alarms`, `incidents`, `interventions`.

-- What is lost in a crash meanwhile is no loss.
ALTER SYSTEM SET fsync = off;
ALTER SYSTEM SET full_page_writes = off;
ALTER SYSTEM SET max_wal_size = '4GB';
SELECT pg_reload_conf();

-- House-keeping must not sum up or count all at once what comes here in one piece and else from day
-- to day, nor anybody take a position among these.
SELECT pg_advisory_lock(key) FROM (VALUES (7236011), (7236012), (7236015), (7236016), (7236001)) lock (key);

-- Neither triggers nor foreign keys: the rows are made to be consistent, those of the ledgers as the
-- triggers would make them.
SET session_replication_role = replica;
SET synchronous_commit = off;
SET maintenance_work_mem = '512MB';
SET work_mem = '256MB';
SET max_parallel_maintenance_workers = 2;

-- Building an index over all rows takes a fraction of what adding each row to it takes. The largest of
-- the alarms' lists stay away: neither figures nor house-keeping read them.
CREATE TEMP TABLE dropped_indexes AS
    SELECT i.indexrelid::regclass::text AS name, pg_get_indexdef(i.indexrelid) AS definition,
        i.indexrelid::regclass::text IN ('alarms_by_camera', 'alarms_by_area', 'alarms_by_pattern',
            'alarms_dismissed', 'alarms_closed') AS is_of_list
    FROM pg_index i
    WHERE i.indrelid IN ('alarms'::regclass, 'incidents'::regclass, 'interventions'::regclass,
            'positions'::regclass, 'incident_ledger'::regclass, 'intervention_ledger'::regclass,
            'alarm_ledger'::regclass, 'detection_ledger'::regclass, 'refusal_ledger'::regclass,
            'coverage_ledger'::regclass, 'camera_day_ledger'::regclass,
            'annunciation_ledger'::regclass)
        AND NOT EXISTS (SELECT FROM pg_constraint c WHERE c.conindid = i.indexrelid);
SELECT format('DROP INDEX %s', name) FROM dropped_indexes \gexec

-- What was set up just now was set up before everything else.
UPDATE positions SET recorded_at = recorded_at - make_interval(years => :years, days => 2);
UPDATE sites SET created_at = created_at - make_interval(years => :years, days => 2);
UPDATE coverage_progress
SET since = full_hour(since - make_interval(years => :years)), recorded_until = full_hour(now());

SELECT setseed(0.4);
CREATE TEMP TABLE watched AS
    SELECT c.site, c.id AS camera, c.area, a.monitored, row_number() OVER () - 1 AS number
    FROM cameras c JOIN areas a ON a.id = c.area;
ANALYZE watched;
SELECT count(*) AS cameras FROM watched \gset

-- Each alarm with what it was when it was raised; the models and rules change from year to year.
CREATE TEMP TABLE raised AS
    SELECT d.n, d.at, w.site, w.area, w.monitored, w.camera,
        -- Of version 7, in the order of their times.
        (lpad(to_hex((extract(epoch FROM d.at) * 1000)::bigint), 12, '0') || '70008'
            || lpad(to_hex(d.n), 15, '0'))::uuid AS id,
        CASE WHEN d.chance < 0.45 THEN 'hitting' WHEN d.chance < 0.7 THEN 'pushing'
            WHEN d.chance < 0.9 THEN 'kicking' ELSE 'aggressive_posture' END AS pattern,
        CASE WHEN d.chance < 0.02 THEN 'training' WHEN d.chance < 0.1 THEN 'parallel'
            ELSE 'production' END AS mode,
        'pose-' || extract(year FROM d.at) AS model,
        extract(year FROM d.at)::integer - 2000 AS rule,
        d.n % 97 = 0 AS late,
        CASE WHEN d.n % 10 = 0 THEN 'confirmed' ELSE 'dismissed' END AS verdict,
        CASE WHEN d.n % 10 > 0 THEN (ARRAY['crowd', 'play', 'embrace', 'sport'])[1 + d.n % 4] END
            AS dismissal_reason
    FROM (
        SELECT n, now() - (:alarms - n) * (make_interval(years => :years) / :alarms) AS at,
            ((n * 2654435761) % 1000003) / 1000003.0 AS chance
        FROM generate_series(1, :alarms::bigint) n
    ) d
    JOIN watched w ON w.number = (d.n * 48271 / 11) % :cameras;
ANALYZE raised;

INSERT INTO alarms (site, id, area, camera, pattern, operating_mode, model, raised_by_model,
    priority, condition, handling, verdict, dismissal_reason, raised_at, received_at, started_at,
    last_detection_at, cleared_at, detection_count, max_confidence, late, quiet, clears_after,
    judged_by, judged_at, closed_by, closed_at, extended_at, rule_version, alarm_group,
    annunciated_at)
SELECT r.site, r.id, r.area, r.camera, r.pattern, r.mode,
    CASE r.mode WHEN 'production' THEN '' ELSE r.model END, r.model, 'medium', 'cleared', 'closed',
    r.verdict, r.dismissal_reason, r.at, r.at + interval '200 milliseconds', r.at,
    r.at + interval '10 seconds', r.at + interval '40 seconds', 1 + r.n % 40,
    0.5 + (r.n % 5000) / 10000.0, r.late, interval '30 seconds', r.at + interval '100 seconds',
    p.person, r.at + interval '40 seconds', p.person, r.at + interval '1 minute',
    r.at + interval '10 seconds', r.rule, r.id,
    CASE WHEN r.mode = 'production' AND NOT r.late THEN r.at + interval '200 milliseconds' END
FROM raised r
CROSS JOIN (VALUES ('00000000-0000-4000-8000-000000000001'::uuid)) p (person)
ORDER BY r.n;

-- Each matter with all that becomes of it. Arrivals take some minutes, a few much longer.
CREATE TEMP TABLE matters AS
    SELECT d.n, w.site, w.area, w.monitored, d.at AS occurred_at,
        (lpad(to_hex((extract(epoch FROM d.at) * 1000)::bigint), 12, '0') || '70009'
            || lpad(to_hex(d.n), 15, '0'))::uuid AS id,
        d.at + CASE
            WHEN d.delay < 0.9 THEN interval '10 minutes' * d.delay
            WHEN d.delay < 0.98 THEN interval '100 hours' * (d.delay - 0.9)
            ELSE interval '2000 days' * (d.delay - 0.98)
        END AS recorded_at,
        CASE WHEN d.kind < 0.35 THEN 'criminal_offence' WHEN d.kind < 0.4
            THEN 'administrative_offence' ELSE 'hazard_prevention' END AS category,
        CASE WHEN d.kind > 0.9 THEN 'medical' WHEN d.kind > 0.6 THEN 'drunk' END AS subcategory,
        CASE WHEN d.way < 0.5 THEN 'automatic' WHEN d.way < 0.85 THEN 'observer'
            ELSE 'reported' END AS source,
        CASE WHEN d.way < 0.3 THEN 'hitting' WHEN d.way < 0.6 THEN 'pushing' END AS pattern,
        -- What no alarm made known was missed, or is not assessable.
        CASE WHEN d.way < 0.5 THEN 'detected' WHEN d.way < 0.55 THEN 'missed'
            ELSE 'not_assessable' END AS assessment,
        CASE WHEN d.way >= 0.6 THEN 'no_pattern' WHEN d.way >= 0.55 THEN 'not_analysed' END
            AS assessment_reason,
        CASE WHEN d.mode < 0.02 THEN 'training' WHEN d.mode < 0.05 THEN 'parallel'
            ELSE 'production' END AS operating_mode,
        d.n <= :interventions AS intervened, d.haste < 0.6 AS immediate,
        d.recall < 0.05 AS cancelled,
        interval '1 second' * floor(30 + 120 * exp(1.2 * d.normal)) AS arrival,
        CASE WHEN d.fate < 0.02 THEN 'category' WHEN d.fate < 0.03 THEN 'retracted' END
            AS correction,
        interval '60 days' * d.wait AS corrected_after
    FROM (
        SELECT n, now() - make_interval(years => :years) * random() AS at, random() AS delay,
            random() AS kind, random() AS way, random() AS mode, random() AS fate,
            random() AS haste, random() AS recall, random() AS wait,
            sqrt(-2 * ln(1 - random())) * cos(2 * pi() * random()) AS normal
        FROM generate_series(1, :incidents::bigint) n
    ) d
    JOIN watched w ON w.number = d.n % :cameras;
UPDATE matters SET correction = NULL
WHERE recorded_at + interval '1 hour' + corrected_after > now();
UPDATE matters SET recorded_at = now() - interval '1 hour' WHERE recorded_at > now() - interval '1 hour';

-- What happened, each in a change of its own. To a matter, `record` 0 created, 1 unit sent, 2 arrived
-- or called off, 3 corrected; to an alarm, 4 raised, 5 judged, and of one in twenty 6 made a matter, 7
-- unit sent, 8 arrived; of all sites, each hour 9 detections counted, 10 coverage recorded.
CREATE TEMP TABLE events AS
    SELECT row_number() OVER (ORDER BY e.at, e.record, e.n)
            + (SELECT max(position) FROM positions) AS position, e.*
    FROM (
        SELECT m.n, m.recorded_at AS at, 0 AS record FROM matters m
        UNION ALL
        SELECT m.n, m.recorded_at + interval '30 seconds', 1 FROM matters m WHERE m.intervened
        UNION ALL
        SELECT m.n, m.recorded_at + interval '30 seconds' + least(m.arrival, interval '50 minutes'),
            2 FROM matters m WHERE m.intervened
        UNION ALL
        SELECT m.n, m.recorded_at + interval '1 hour' + m.corrected_after, 3
        FROM matters m WHERE m.correction IS NOT NULL
        UNION ALL
        SELECT r.n, r.at + step.after, step.record
        FROM raised r
        JOIN (VALUES (4, interval '200 milliseconds', 1), (5, interval '40 seconds', 1),
            (6, interval '50 seconds', 20), (7, interval '80 seconds', 20),
            (8, interval '7 minutes', 40)) step (record, after, one_in) ON r.n % step.one_in = 0
        UNION ALL
        SELECT NULL, hour + interval '3 minutes', record
        FROM generate_series(
            full_hour(now() - make_interval(years => :years)) + interval '1 hour',
            now() - interval '1 hour', interval '1 hour') hour
        CROSS JOIN (VALUES (9), (10)) v (record)
    ) e;
-- What is yet to happen to the last ones has not.
DELETE FROM events WHERE at > now();
CREATE UNIQUE INDEX ON events (position);
ANALYZE matters;
ANALYZE events;

-- Each a microsecond later than the one before at least, as the server makes them.
INSERT INTO positions (position, change, recorded_at)
    SELECT position, 1000000 + position,
        at - interval '1 minute' + interval '1 microsecond' * position
    FROM events ORDER BY position;
SELECT setval('changes', 1000000 + max(position)) FROM events;

-- The rows of the ledgers: each event but the first takes back what counted and counts anew.
INSERT INTO incident_ledger (site, amount, change, position, incident, occurred_in, category,
    subcategory, source, pattern, area, monitored, operating_mode, outcomes, assessment,
    assessment_reason, model, rule, intervened, immediate, arrival_seconds, retracted)
SELECT m.site, r.amount, 1000000 + e.position, e.position, m.id, quarter_hour(m.occurred_at),
    CASE WHEN r.state = 3 AND m.correction = 'category' THEN 'administrative_offence'
        ELSE m.category END,
    m.subcategory, m.source, m.pattern, m.area, m.monitored, m.operating_mode, '{}',
    m.assessment, m.assessment_reason,
    CASE WHEN m.assessment <> 'not_assessable' THEN 'pose-' || extract(year FROM m.occurred_at) END,
    CASE WHEN m.assessment <> 'not_assessable' THEN extract(year FROM m.occurred_at) - 2000 END,
    r.state > 0 AND m.intervened AND NOT (r.state > 1 AND m.cancelled),
    r.state > 0 AND m.intervened AND m.immediate AND NOT (r.state > 1 AND m.cancelled),
    CASE WHEN r.state > 1 AND m.intervened AND NOT m.cancelled
        THEN 30 + extract(epoch FROM m.arrival) END,
    r.state = 3 AND m.correction = 'retracted'
FROM events e
JOIN matters m ON m.n = e.n
CROSS JOIN LATERAL (VALUES
    -- Before the correction there was an intervention or there was none.
    (-1, CASE WHEN e.record = 3 AND NOT m.intervened THEN 0 ELSE e.record - 1 END),
    (1, e.record)) r (amount, state)
WHERE e.record <= 3 AND r.state >= 0
ORDER BY e.position, r.amount;

INSERT INTO intervention_ledger (site, amount, change, position, intervention, dispatched_in,
    precinct, immediate, arrival_seconds, cancelled, category, subcategory, source, pattern, area,
    monitored, operating_mode, retracted)
SELECT m.site, r.amount, 1000000 + e.position, e.position, m.id,
    quarter_hour(m.occurred_at + interval '30 seconds'), 'Revier ' || m.n % 4, m.immediate,
    CASE WHEN r.state > 1 AND NOT m.cancelled THEN extract(epoch FROM m.arrival) END,
    r.state > 1 AND m.cancelled,
    CASE WHEN r.state = 3 AND m.correction = 'category' THEN 'administrative_offence'
        ELSE m.category END,
    m.subcategory, m.source, m.pattern, m.area, m.monitored, m.operating_mode,
    r.state = 3 AND m.correction = 'retracted'
FROM events e
JOIN matters m ON m.n = e.n
CROSS JOIN LATERAL (VALUES (-1, e.record - 1), (1, e.record)) r (amount, state)
WHERE m.intervened AND e.record BETWEEN 1 AND 3 AND r.state > 0
ORDER BY e.position, r.amount;

INSERT INTO alarm_ledger (site, amount, change, position, alarm, raised_in, area, monitored, camera,
    pattern, model, rule, operating_mode, late, verdict, dismissal_reason, in_incident, dispatched,
    arrived)
SELECT a.site, r.amount, 1000000 + e.position, e.position, a.id, quarter_hour(a.at), a.area,
    a.monitored, a.camera, a.pattern, a.model, a.rule, a.mode, a.late,
    CASE WHEN r.state > 4 THEN a.verdict ELSE 'none' END,
    CASE WHEN r.state > 4 THEN a.dismissal_reason END, r.state > 5, r.state > 6, r.state > 7
FROM events e
JOIN raised a ON a.n = e.n
CROSS JOIN LATERAL (VALUES (-1, e.record - 1), (1, e.record)) r (amount, state)
WHERE e.record BETWEEN 4 AND 8 AND r.state >= 4
ORDER BY e.position, r.amount;

INSERT INTO annunciation_ledger (site, amount, change, position, alarm, fact, happened_at, area,
    monitored, camera, pattern, source, chattering)
SELECT a.site, 1, 1000000 + e.position, e.position, a.id, 'annunciated',
    a.at + interval '200 milliseconds', a.area, a.monitored, a.camera, a.pattern,
    alarm_source(a.camera, a.pattern), a.n % 50 = 0
FROM events e
JOIN raised a ON a.n = e.n
WHERE e.record = 4 AND a.mode = 'production' AND NOT a.late
ORDER BY e.position;

-- An alarm's detections lie in two tenths of confidence, and are counted after their hour.
CREATE TEMP TABLE counted AS
    SELECT e.position, h.to_position, lag(h.to_position, 1, 0::bigint) OVER (ORDER BY e.position)
            AS from_position, h.hour
    FROM events e
    JOIN (
        SELECT full_hour(recorded_at) + interval '1 hour' AS hour, max(position) AS to_position
        FROM positions GROUP BY 1
    ) h ON h.hour = full_hour(e.at)
    WHERE e.record = 9;
ANALYZE counted;
INSERT INTO detection_runs (change, from_position, to_position, counted_before)
SELECT 1000000 + c.position, c.from_position, c.to_position, c.hour FROM counted c;
INSERT INTO detection_ledger (site, amount, change, position, occurred_in, area, monitored, camera,
    pattern, model, rule, operating_mode, late, counted_only, confidence_decile)
SELECT a.site, 1 + a.n % 20, 1000000 + c.position, c.position, quarter_hour(a.at), a.area,
    a.monitored, a.camera, a.pattern, a.model, a.rule, a.mode, a.late, false, d.decile
FROM raised a
JOIN counted c ON c.hour = full_hour(a.at) + interval '1 hour'
CROSS JOIN LATERAL (VALUES (5 + a.n % 5), (2 + a.n % 3)) d (decile)
ORDER BY c.position;

INSERT INTO refusal_ledger (site, amount, change, position, received_in, reason)
SELECT s.id, 3, 1000000 + e.position, e.position, full_hour(e.at) - interval '30 minutes',
    r.reason
FROM events e
CROSS JOIN sites s
CROSS JOIN (VALUES ('detection.unknown-camera'), ('detection.pattern-not-permitted')) r (reason)
WHERE e.record = 9
ORDER BY e.position;

-- Cameras are off by schedule eight hours a day, and blind in one hour of fifty for ten minutes.
INSERT INTO coverage_ledger (site, covered_from, amount, change, position, camera, area, monitored,
    patterns, state, models)
SELECT w.site, h.hour, p.seconds, 1000000 + h.position, h.position, w.camera, w.area, w.monitored,
    k.patterns, p.state, CASE p.state WHEN 'analysed' THEN h.models END
FROM (
    SELECT e.position, full_hour(e.at) - interval '1 hour' AS hour,
        ARRAY['pose-' || extract(year FROM e.at)] AS models
    FROM events e WHERE e.record = 10
) h
CROSS JOIN watched w
CROSS JOIN LATERAL (
    SELECT extract(hour FROM h.hour) BETWEEN 4 AND 11 AS is_off,
        (extract(epoch FROM h.hour)::bigint / 3600 + w.number) % 50 = 0 AS is_blind
) s
CROSS JOIN LATERAL (VALUES
    ('off_by_schedule', CASE WHEN s.is_off THEN 3600 END),
    ('analysed', CASE WHEN NOT s.is_off THEN CASE WHEN s.is_blind THEN 3000 ELSE 3600 END END),
    ('blind', CASE WHEN NOT s.is_off AND s.is_blind THEN 600 END)) p (state, seconds)
CROSS JOIN (VALUES (NULL), (ARRAY['aggressive_posture', 'hitting', 'kicking', 'pushing']))
    k (patterns)
WHERE p.seconds IS NOT NULL
ORDER BY h.position;
INSERT INTO coverage_recordings (site, position, recorded_until)
SELECT s.id, e.position, full_hour(e.at) FROM events e CROSS JOIN sites s WHERE e.record = 10;

-- Each camera was analysed in the first hour of each day.
INSERT INTO camera_day_ledger (site, amount, change, position, camera, day, begins_at, area,
    monitored, analysed)
SELECT w.site, 1, 1000000 + d.position, d.position, w.camera, d.day,
    first_instant(d.day, d.time_zone), w.area, w.monitored, true
FROM (
    SELECT s.id AS site, s.time_zone, min(e.position) AS position,
        ((full_hour(e.at) - interval '1 hour') AT TIME ZONE s.time_zone)::date AS day
    FROM events e CROSS JOIN sites s
    WHERE e.record = 10
    GROUP BY s.id, s.time_zone, day
) d
JOIN watched w ON w.site = d.site
ORDER BY d.position;

INSERT INTO incidents (site, id, category, subcategory, occurred_at, recognised_at, source, pattern,
    area, operating_mode, assessment, computed_assessment, intervention_count, immediate_count,
    first_dispatched_at, first_arrived_at, retracted_at, created_at)
SELECT m.site, m.id,
    CASE m.correction WHEN 'category' THEN 'administrative_offence' ELSE m.category END,
    m.subcategory, m.occurred_at, m.occurred_at, m.source, m.pattern, m.area, m.operating_mode,
    m.assessment, m.assessment, (m.intervened AND NOT m.cancelled)::integer,
    (m.intervened AND m.immediate AND NOT m.cancelled)::integer,
    CASE WHEN m.intervened AND NOT m.cancelled THEN m.occurred_at + interval '30 seconds' END,
    CASE WHEN m.intervened AND NOT m.cancelled
        THEN m.occurred_at + interval '30 seconds' + m.arrival END,
    CASE m.correction WHEN 'retracted' THEN m.recorded_at + interval '1 hour' END, m.recorded_at
FROM matters m ORDER BY m.occurred_at;

INSERT INTO interventions (site, id, incident, immediate, precinct, unit, status, dispatched_at,
    arrived_at, arrival_source, completed_at, cancelled_at, created_at)
SELECT m.site, m.id, m.id, m.immediate, 'Revier ' || m.n % 4, 'Unit ' || m.n % 20,
    CASE WHEN m.cancelled THEN 'cancelled' ELSE 'arrived' END,
    m.occurred_at + interval '30 seconds',
    CASE WHEN NOT m.cancelled THEN m.occurred_at + interval '30 seconds' + m.arrival END,
    CASE WHEN NOT m.cancelled THEN 'radio_status' END, NULL,
    CASE WHEN m.cancelled THEN m.recorded_at + interval '1 hour' END, m.recorded_at
FROM matters m WHERE m.intervened ORDER BY m.occurred_at;

-- Else what waits for its position would wait for an index, and the index for it.
SELECT pg_advisory_unlock(7236001);
SELECT definition FROM dropped_indexes WHERE NOT is_of_list \gexec
ANALYZE;

-- All runs of a length in one statement, the shortest ones at least twice as long as house-keeping makes
-- them where as much happens: there are the fewer cells to keep, and the more rows to read.
CREATE TEMP TABLE cell_indexes AS
    SELECT i.indexrelid::regclass::text AS name, pg_get_indexdef(i.indexrelid) AS definition
    FROM pg_index i
    WHERE i.indrelid IN (SELECT s.cells::regclass FROM ledger_sums s)
        AND NOT EXISTS (SELECT FROM pg_constraint c WHERE c.conindid = i.indexrelid);
SELECT format('DROP INDEX %s', name) FROM cell_indexes \gexec
INSERT INTO ledger_runs (from_position, to_position, level)
SELECT lag(r.to_position, 1, 0::bigint) OVER (ORDER BY r.to_position), r.to_position, 0
FROM (
    SELECT max(position) AS to_position FROM positions
    GROUP BY date_bin('4 hours', recorded_at, 'epoch')
) r
ORDER BY r.to_position;
ANALYZE ledger_runs;
SELECT format(
    'INSERT INTO %I SELECT c.*
    FROM ledger_runs r
    CROSS JOIN LATERAL (
        SELECT * FROM %I(r.run, r.from_position, r.to_position) ORDER BY %s
    ) c',
    cells, summed_by, ledger_cell_order(cells::regclass))
FROM ledger_sums \gexec
SELECT definition FROM cell_indexes \gexec
ANALYZE;
DO $$
BEGIN
    FOR of_level IN 1..20 LOOP
        PERFORM merge_ledger_runs(min(r.from_position), max(r.to_position), of_level::smallint)
        FROM (
            SELECT *, (row_number() OVER (ORDER BY from_position) - 1) / 4 AS longer
            FROM ledger_runs WHERE level = of_level - 1
        ) r
        GROUP BY r.longer HAVING count(*) = 4;
    END LOOP;
END
$$;
ANALYZE;

-- From here on it is as any other.
ALTER SYSTEM RESET fsync;
ALTER SYSTEM RESET full_page_writes;
ALTER SYSTEM RESET max_wal_size;
SELECT pg_reload_conf();
CHECKPOINT;
