-- Alarms of two cities over five years, an incident of each fifth of them, and an intervention in
-- most incidents; for each alarm a row of the journal, one of the access log, and a detection of the
-- last days; for the measurement of lists: common values and values that are one in a hundred
-- thousand, a quiet camera, a quiet area.
--
-- What goes on at the end is a small part of page 1: pages are compared by what finding their rows
-- costs, not by what a closed alarm's document has more than an open one's.
--
-- Run by psql as the superuser in a database that has the sites `large` and `small`, with their areas
-- and cameras; the variable `alarms` says how many alarms there are to be.

-- The database is thrown away afterwards: what it loses in a crash is no loss, and reading costs the
-- same.
ALTER SYSTEM SET fsync = off;
ALTER SYSTEM SET full_page_writes = off;
ALTER SYSTEM SET max_wal_size = '16GB';
SELECT pg_reload_conf();

-- House-keeping must not count what comes here in one piece, nor anybody take a position among these.
SELECT pg_advisory_lock(key) FROM (VALUES (7236011), (7236012), (7236015), (7236016), (7236001)) lock (key);

-- Neither triggers nor foreign keys: the rows are made to be consistent.
SET session_replication_role = replica;
SET synchronous_commit = off;
SET maintenance_work_mem = '512MB';
SET max_parallel_maintenance_workers = 2;

-- Building an index over all rows takes a fraction of what adding each row to it takes.
CREATE TEMP TABLE dropped_indexes AS
    SELECT i.indexrelid::regclass::text AS name, pg_get_indexdef(i.indexrelid) AS definition
    FROM pg_index i
    WHERE i.indrelid IN ('alarms'::regclass, 'incidents'::regclass, 'interventions'::regclass,
            'journal'::regclass, 'accesses'::regclass)
        AND NOT EXISTS (SELECT FROM pg_constraint c WHERE c.conindid = i.indexrelid);
SELECT format('DROP INDEX %s', name) FROM dropped_indexes \gexec

CREATE TEMP TABLE watched AS
    SELECT c.site, c.id AS camera, c.area,
        row_number() OVER (PARTITION BY c.site ORDER BY c.created_at, c.id) - 1 AS number
    FROM cameras c WHERE c.site IN ('large', 'small');
ANALYZE watched;

INSERT INTO alarms (site, id, area, camera, pattern, operating_mode, model, priority, condition,
    handling, verdict, dismissal_reason, raised_at, received_at, started_at, last_detection_at,
    cleared_at, detection_count, max_confidence, late, quiet, clears_after, acknowledged_by,
    acknowledged_at, judged_by, judged_at, closed_by, closed_at, extended_at, rule_version,
    overdue, alarm_group, annunciated_at, position, assigned_by, assigned_at, chattering, stale,
    flood)
SELECT f.site, f.id, w.area, w.camera,
    CASE
        WHEN rare = 1 THEN 'weapon'
        WHEN f.pattern < 0.45 THEN 'hitting'
        WHEN f.pattern < 0.70 THEN 'pushing'
        WHEN f.pattern < 0.90 THEN 'kicking'
        ELSE 'aggressive_posture'
    END,
    f.mode,
    CASE f.mode WHEN 'production' THEN '' ELSE 'pose-2026.10' END,
    CASE WHEN rare = 1 THEN 'high' WHEN f.pattern < 0.9 THEN 'medium' ELSE 'low' END,
    CASE WHEN f.n > :alarms - 10 THEN 'active' ELSE 'cleared' END,
    f.handling,
    f.verdict,
    CASE f.verdict WHEN 'dismissed' THEN 'crowd' END,
    f.at, f.at + interval '200 milliseconds', f.at, f.at + 10 * lasting,
    CASE WHEN f.n <= :alarms - 10 THEN f.at + 10 * lasting + interval '30 seconds' END,
    1 + f.n % 40 + CASE WHEN rare = 2 THEN 10000 ELSE 0 END,
    0.5 + (f.n % 5000) / 10000.0,
    rare BETWEEN 10 AND 19,
    interval '30 seconds', f.at + 10 * lasting + interval '90 seconds',
    CASE f.handling WHEN 'acknowledged' THEN f.person END,
    CASE f.handling WHEN 'acknowledged' THEN f.at + interval '20 seconds' END,
    CASE WHEN f.verdict <> 'none' THEN f.person END,
    CASE WHEN f.verdict <> 'none' THEN f.at + interval '40 seconds' END,
    CASE f.handling WHEN 'closed' THEN f.person END,
    CASE f.handling WHEN 'closed' THEN f.at + interval '1 minute' END,
    f.at + 10 * lasting, 1,
    rare BETWEEN 20 AND 59, f.id,
    CASE f.mode WHEN 'production' THEN f.at + interval '200 milliseconds' END,
    CASE WHEN rare = 3 THEN 'south' WHEN f.pattern > 0.8 THEN 'north' END,
    CASE WHEN rare = 3 OR f.pattern > 0.8 THEN f.person END,
    CASE WHEN rare = 3 OR f.pattern > 0.8 THEN f.at + interval '10 seconds' END,
    rare BETWEEN 100 AND 1099, rare = 4, rare BETWEEN 2000 AND 2499
FROM (
    SELECT n, at, rare, pattern, site, person,
        -- Of version 7, in the order of their times.
        (lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || '70008'
            || lpad(to_hex(n), 15, '0'))::uuid AS id,
        interval '1 second' * (1 + n % 7) AS lasting,
        CASE
            WHEN rare = 5 THEN 'exercise'
            WHEN pattern < 0.05 THEN 'training'
            WHEN pattern BETWEEN 0.3 AND 0.4 THEN 'parallel'
            ELSE 'production'
        END AS mode,
        CASE
            WHEN rare = 6 THEN 'acknowledged'
            WHEN rare BETWEEN 500 AND 599 OR n > :alarms - 10 THEN 'new'
            ELSE 'closed'
        END AS handling,
        CASE
            WHEN rare = 7 THEN 'confirmed'
            WHEN pattern BETWEEN 0.1 AND 0.7 THEN 'dismissed'
            ELSE 'none'
        END AS verdict
    FROM (
        SELECT n,
            now() - (:alarms - n) * (interval '5 years' / :alarms) AS at,
            (n * 7919) % 99991 AS rare,
            ((n * 2654435761) % 1000003) / 1000003.0 AS pattern,
            CASE WHEN n % 5 = 0 THEN 'small' ELSE 'large' END AS site,
            '00000000-0000-4000-8000-000000000001'::uuid AS person
        FROM generate_series(1, :alarms::bigint) n
    ) drawn
) f
JOIN (SELECT site, max(number) AS quiet FROM watched GROUP BY site) s USING (site)
JOIN watched w ON w.site = f.site
    -- The last camera, in an area of its own, has hardly seen a thing.
    AND w.number = CASE WHEN rare = 8 THEN s.quiet ELSE (f.n * 48271 / 11) % s.quiet END;

INSERT INTO incidents (site, id, category, subcategory, occurred_at, recognised_at, source, pattern,
    area, operating_mode, assessment, computed_assessment, intervention_count, immediate_count,
    retracted_at, created_at)
SELECT site, id,
    CASE WHEN n % 3 = 0 THEN 'criminal_offence' ELSE 'hazard_prevention' END,
    CASE WHEN n % 99991 = 1 THEN 'medical' WHEN n % 3 <> 0 THEN 'drunk' END,
    raised_at, received_at,
    CASE WHEN n % 99991 = 2 THEN 'reported' ELSE 'automatic' END,
    CASE WHEN n % 99991 = 3 THEN 'weapon' ELSE pattern END,
    area, CASE WHEN n % 99991 = 4 THEN 'exercise' ELSE 'production' END,
    CASE WHEN n % 99991 = 5 THEN 'missed' ELSE 'detected' END, 'detected',
    1, (n % 5 < 2)::integer,
    CASE WHEN n % 99991 = 6 THEN received_at END, received_at
FROM (SELECT a.*, row_number() OVER (ORDER BY raised_at, id) AS n FROM alarms a) a
WHERE n / 7 % 5 = 0;

INSERT INTO interventions (site, id, incident, immediate, precinct, unit, status, dispatched_at,
    arrived_at, arrival_source, completed_at, cancelled_at, created_at)
SELECT site, id, id, n % 5 < 2,
    CASE WHEN n % 99991 = 1 THEN 'Ost' ELSE 'Mitte' END, 'Unit ' || n % 20,
    CASE WHEN n % 99991 = 2 THEN 'cancelled' ELSE 'completed' END, received_at,
    received_at + interval '3 minutes',
    CASE WHEN n % 99991 = 3 THEN 'later' ELSE 'radio_status' END,
    CASE WHEN n % 99991 <> 2 THEN received_at + interval '1 hour' END,
    CASE WHEN n % 99991 = 2 THEN received_at + interval '1 hour' END, received_at
FROM (
    SELECT site, id, recognised_at AS received_at, row_number() OVER (ORDER BY occurred_at, id) AS n
    FROM incidents
) i
WHERE n % 10 < 7;

-- Each in a change of its own: every second is raised, the others are closed by an observer, and one
-- in a hundred thousand is commented by a shift supervisor.
CREATE TEMP TABLE events AS
    SELECT a.site, a.id, a.camera, a.pattern, a.raised_at, a.received_at, a.alarm_group, a.n,
        a.n + (SELECT max(position) FROM positions) AS position
    FROM (SELECT a.*, row_number() OVER (ORDER BY raised_at, id) AS n FROM alarms a) a;
UPDATE positions SET recorded_at = recorded_at - interval '6 years';
INSERT INTO positions (position, change, recorded_at)
    SELECT position, 1000000 + position, received_at + interval '1 microsecond' * n
    FROM events ORDER BY position;
SELECT setval('changes', 1000000 + max(position)) FROM events;
INSERT INTO journal (change, ordinal, event, site, subject, occurred_at, actor, role, request_id,
    document)
SELECT 1000000 + position, 1,
    CASE WHEN n % 99991 = 2 THEN 'alarm.commented' WHEN n % 2 = 0 THEN 'alarm.raised'
        ELSE 'alarm.closed' END,
    site, id, received_at,
    CASE WHEN n % 99991 = 2 THEN '00000000-0000-4000-8000-000000000002'
        WHEN n % 2 = 1 THEN '00000000-0000-4000-8000-000000000001' END::uuid,
    CASE WHEN n % 99991 = 2 THEN 'shift_supervisor' WHEN n % 2 = 1 THEN 'observer' END,
    'request-' || n, json_build_object('id', id, 'site', site, 'camera', camera)
FROM events ORDER BY position;
INSERT INTO detection_runs (change, from_position, to_position, counted_before)
SELECT max(change), 0, max(position), now() FROM positions;

-- For as long as there are alarms.
UPDATE sites SET access_log_days = 3650;
INSERT INTO accesses (site, id, accessed_at, action, subject, shown, actor, role, reason, request_id)
SELECT site, id, received_at, CASE n % 99991 WHEN 1 THEN 'hold.read' ELSE 'alarm.read' END, id,
    CASE n % 99991 WHEN 2 THEN ARRAY[id] ELSE '{}' END,
    CASE n % 99991 WHEN 3 THEN '00000000-0000-4000-8000-000000000002'
        ELSE '00000000-0000-4000-8000-000000000001' END::uuid,
    CASE n % 99991 WHEN 3 THEN 'auditor' ELSE 'observer' END, 'handling', 'request-' || n
FROM events ORDER BY n;

SELECT ensure_detection_partitions(current_date - 3, current_date + 1);
INSERT INTO detections (site, id, occurred_at, received_at, node, camera, pattern, operating_mode,
    model, confidence, alarm, counted_only, late, content_hash, change)
SELECT e.site, e.id, d.at, d.at, '00000000-0000-4000-8000-000000000003', e.camera, e.pattern,
    'production', 'pose-2026.10', 0.9, e.id, false, false, sha256('content'), 1000000 + e.position
FROM events e
CROSS JOIN LATERAL (
    SELECT now() - interval '1 hour' - (:alarms - e.n) * (interval '70 hours' / :alarms) AS at
) d
ORDER BY e.n;

-- Else what waits for its position would wait for an index, and the index for it.
SELECT pg_advisory_unlock(7236001);
SELECT definition FROM dropped_indexes \gexec

ALTER SYSTEM RESET fsync;
ALTER SYSTEM RESET full_page_writes;
ALTER SYSTEM RESET max_wal_size;
SELECT pg_reload_conf();
CHECKPOINT;
