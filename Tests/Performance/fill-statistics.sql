-- Years of a state's alarms, matters and interventions with all that is known of them when, for the
-- measurement of statistics: most of it recorded at once, some late, three in a hundred corrected.
--
-- Run by psql as the superuser in a database that has sites with their areas and cameras and nothing
-- else. Variables: `years` until now, `alarms`, `incidents`, `interventions`.

-- What is lost in a crash meanwhile is no loss.
ALTER SYSTEM SET fsync = off;
ALTER SYSTEM SET full_page_writes = off;
ALTER SYSTEM SET max_wal_size = '16GB';
SELECT pg_reload_conf();

-- House-keeping must not sum up all at once what comes here in one piece and else from day to day.
SELECT pg_advisory_lock(7236011);

-- Neither triggers nor foreign keys: the rows are made to be consistent, those of the ledgers as the
-- triggers would make them.
SET session_replication_role = replica;
SET synchronous_commit = off;
SET maintenance_work_mem = '512MB';
SET work_mem = '256MB';
SET max_parallel_maintenance_workers = 2;

-- Building an index over all rows takes a fraction of what adding each row to it takes. Those of the
-- alarms' lists stay away: no figure reads them.
CREATE TEMP TABLE dropped_indexes AS
    SELECT i.indexrelid::regclass::text AS name, pg_get_indexdef(i.indexrelid) AS definition,
        i.indrelid = 'alarms'::regclass
            AND i.indexrelid::regclass::text NOT IN ('alarms_by_age', 'alarms_by_episode')
            AS is_of_list
    FROM pg_index i
    WHERE i.indrelid IN ('alarms'::regclass, 'incidents'::regclass, 'interventions'::regclass,
            'positions'::regclass, 'journal'::regclass, 'incident_ledger'::regclass,
            'intervention_ledger'::regclass)
        AND NOT EXISTS (SELECT FROM pg_constraint c WHERE c.conindid = i.indexrelid);
SELECT format('DROP INDEX %s', name) FROM dropped_indexes \gexec

-- What was set up just now was set up before everything else.
UPDATE positions SET recorded_at = recorded_at - make_interval(years => :years, days => 2);
UPDATE sites SET created_at = created_at - make_interval(years => :years, days => 2);

SELECT setseed(0.4);
CREATE TEMP TABLE watched AS
    SELECT c.site, c.id AS camera, c.area, a.monitored, row_number() OVER () - 1 AS number
    FROM cameras c JOIN areas a ON a.id = c.area;
ANALYZE watched;
SELECT count(*) AS cameras FROM watched \gset

INSERT INTO alarms (site, id, area, camera, pattern, operating_mode, model, priority, condition,
    handling, verdict, dismissal_reason, raised_at, received_at, started_at, last_detection_at,
    cleared_at, detection_count, max_confidence, late, quiet, clears_after, judged_by, judged_at,
    closed_by, closed_at, extended_at, rule_version, alarm_group, annunciated_at)
SELECT w.site, f.id, w.area, w.camera,
    CASE WHEN f.chance < 0.45 THEN 'hitting' WHEN f.chance < 0.7 THEN 'pushing'
        WHEN f.chance < 0.9 THEN 'kicking' ELSE 'aggressive_posture' END,
    f.mode, CASE f.mode WHEN 'production' THEN '' ELSE 'pose-2026.10' END, 'medium', 'cleared',
    'closed', f.verdict, CASE f.verdict WHEN 'dismissed' THEN 'crowd' END, f.at,
    f.at + interval '200 milliseconds', f.at, f.at + interval '10 seconds',
    f.at + interval '40 seconds', 1 + f.n % 40, 0.5 + (f.n % 5000) / 10000.0, false,
    interval '30 seconds', f.at + interval '100 seconds', f.person, f.at + interval '40 seconds',
    f.person, f.at + interval '1 minute', f.at + interval '10 seconds', 1, f.id,
    CASE f.mode WHEN 'production' THEN f.at + interval '200 milliseconds' END
FROM (
    SELECT n, at, chance,
        -- Of version 7, in the order of their times.
        (lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || '70008'
            || lpad(to_hex(n), 15, '0'))::uuid AS id,
        CASE WHEN chance < 0.02 THEN 'training' WHEN chance < 0.1 THEN 'parallel'
            ELSE 'production' END AS mode,
        CASE WHEN n % 10 = 0 THEN 'confirmed' ELSE 'dismissed' END AS verdict,
        '00000000-0000-4000-8000-000000000001'::uuid AS person
    FROM (
        SELECT n, now() - (:alarms - n) * (make_interval(years => :years) / :alarms) AS at,
            ((n * 2654435761) % 1000003) / 1000003.0 AS chance
        FROM generate_series(1, :alarms::bigint) n
    ) drawn
) f
JOIN watched w ON w.number = (f.n * 48271 / 11) % :cameras;

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

-- What happened to the matters, each in a change of its own: `record` 0 created, 1 unit sent, 2
-- arrived or called off, 3 corrected.
CREATE TEMP TABLE events AS
    SELECT row_number() OVER (ORDER BY e.at, e.n, e.record)
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
        -- An alarm is raised in one change and judged in another.
        SELECT NULL, a.received_at, 4 FROM alarms a
        UNION ALL
        SELECT NULL, a.judged_at, 5 FROM alarms a
    ) e;

-- Each a microsecond later than the one before at least, as the server makes them.
INSERT INTO positions (position, change, recorded_at)
    SELECT position, 1000000 + position,
        at - interval '1 minute' + interval '1 microsecond' * position
    FROM events;
SELECT setval('changes', 1000000 + max(position)) FROM events;

-- Figures look into the journal for the first alarms only.
INSERT INTO journal (change, ordinal, event, site, subject, occurred_at, document)
    SELECT 1000000 + e.position, 1, 'alarm.raised', a.site, a.id, a.raised_at, '{}'
    FROM (
        SELECT position, row_number() OVER (ORDER BY position) AS n
        FROM events WHERE record = 4 ORDER BY position LIMIT 1000
    ) e
    JOIN (
        SELECT site, id, raised_at, row_number() OVER (ORDER BY received_at) AS n
        FROM alarms ORDER BY received_at LIMIT 1000
    ) a USING (n);

-- The rows of the ledgers: each event but the first takes back what counted and counts anew.
DELETE FROM events WHERE record > 3;
ANALYZE matters;
ANALYZE events;
INSERT INTO incident_ledger (site, amount, change, position, incident, occurred_in, category,
    subcategory, source, pattern, area, monitored, operating_mode, outcomes, assessment,
    intervened, immediate, arrival_seconds, retracted)
SELECT m.site, r.amount, 1000000 + e.position, e.position, m.id, quarter_hour(m.occurred_at),
    CASE WHEN r.state = 3 AND m.correction = 'category' THEN 'administrative_offence'
        ELSE m.category END,
    m.subcategory, m.source, m.pattern, m.area, m.monitored, m.operating_mode, '{}', 'detected',
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
WHERE r.state >= 0
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
WHERE m.intervened AND e.record > 0 AND r.state > 0
ORDER BY e.position, r.amount;

INSERT INTO incidents (site, id, category, subcategory, occurred_at, recognised_at, source, pattern,
    area, operating_mode, assessment, computed_assessment, intervention_count, immediate_count,
    first_dispatched_at, first_arrived_at, retracted_at, created_at)
SELECT m.site, m.id,
    CASE m.correction WHEN 'category' THEN 'administrative_offence' ELSE m.category END,
    m.subcategory, m.occurred_at, m.occurred_at, m.source, m.pattern, m.area, m.operating_mode,
    'detected', 'detected', (m.intervened AND NOT m.cancelled)::integer,
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

SELECT definition FROM dropped_indexes WHERE NOT is_of_list \gexec
ANALYZE;

-- As house-keeping does it from day to day: it sums up before there are as many rows as it waits for.
SELECT format('SELECT extend_ledger_runs(%s)', max(position))
FROM positions
GROUP BY date_trunc('day', recorded_at) ORDER BY max(position) \gexec

-- From here on it is as any other.
ALTER SYSTEM RESET fsync;
ALTER SYSTEM RESET full_page_writes;
ALTER SYSTEM RESET max_wal_size;
SELECT pg_reload_conf();
CHECKPOINT;
