-- What counts of alarms and detections, as rows that are only ever added, like those of matters.
--
-- An alarm counts on the day on which it was raised, whenever its verdict, its matter or the units
-- came: so a verdict that changes later moves no other month. What it was when it was raised stays;
-- what became of it is taken back and counted anew at the position of each change.
--
-- Detections are counted by house-keeping, in runs of positions, so that ingest has nothing to do
-- with it, and before retention deletes any of them.

CREATE TABLE alarm_ledger (
    site text NOT NULL,
    ordinal bigint GENERATED ALWAYS AS IDENTITY,
    amount smallint NOT NULL CHECK (amount IN (-1, 1)),
    change bigint NOT NULL,
    position bigint,
    alarm uuid NOT NULL,
    raised_in timestamptz NOT NULL,
    area uuid NOT NULL,
    -- Whether the area was monitored when it was raised.
    monitored boolean NOT NULL,
    camera uuid NOT NULL,
    pattern text NOT NULL,
    -- Of the detection that raised it. NULL: from before models were kept.
    model text,
    -- The version of the rule that raised it; NULL: the product's defaults.
    rule integer,
    operating_mode text NOT NULL,
    late boolean NOT NULL,
    verdict text NOT NULL,
    dismissal_reason text,
    -- Belongs to a matter that is not retracted; units were sent to it and not all recalled; one of
    -- them has arrived.
    in_incident boolean NOT NULL,
    dispatched boolean NOT NULL,
    arrived boolean NOT NULL,
    PRIMARY KEY (site, raised_in, ordinal),
    FOREIGN KEY (site, alarm) REFERENCES alarms (site, id)
);
GRANT SELECT, INSERT ON alarm_ledger TO leitstand;
-- What is taken back is what was counted last.
CREATE INDEX alarm_ledger_by_alarm ON alarm_ledger (alarm, ordinal);
CREATE INDEX alarm_ledger_by_position ON alarm_ledger (position);

-- Counts what is raised: one row each, and all of a group in one statement.
CREATE FUNCTION count_raised_alarms() RETURNS trigger
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
    RETURN NULL;
END
$$;
CREATE TRIGGER alarm_counted AFTER INSERT ON alarms
    REFERENCING NEW TABLE AS raised
    FOR EACH STATEMENT EXECUTE FUNCTION count_raised_alarms();

-- Counts an alarm as it is now, if that is not how it counts already.
CREATE FUNCTION count_alarm(alarm uuid) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    counted alarm_ledger;
    now alarm_ledger;
    number bigint;
BEGIN
    -- A verdict and a matter may come at the same time: the second sees what the first has counted.
    PERFORM FROM alarms a WHERE a.id = count_alarm.alarm FOR NO KEY UPDATE;
    SELECT * INTO STRICT counted FROM alarm_ledger l
    WHERE l.alarm = count_alarm.alarm ORDER BY l.ordinal DESC LIMIT 1;
    now := counted;
    SELECT a.verdict, a.dismissal_reason INTO now.verdict, now.dismissal_reason
    FROM alarms a WHERE a.id = count_alarm.alarm;
    SELECT true, i.intervention_count > 0, i.first_arrived_at IS NOT NULL
    INTO now.in_incident, now.dispatched, now.arrived
    FROM incident_alarms l JOIN incidents i ON i.site = l.site AND i.id = l.incident
    WHERE l.alarm = count_alarm.alarm AND NOT l.released;
    IF NOT FOUND THEN
        now.in_incident := false;
        now.dispatched := false;
        now.arrived := false;
    END IF;
    IF now IS NOT DISTINCT FROM counted THEN
        RETURN;
    END IF;
    number := ledger_change();
    INSERT INTO alarm_ledger (site, amount, change, alarm, raised_in, area, monitored, camera,
        pattern, model, rule, operating_mode, late, verdict, dismissal_reason, in_incident,
        dispatched, arrived)
    SELECT r.site, r.amount, number, r.alarm, r.raised_in, r.area, r.monitored, r.camera,
        r.pattern, r.model, r.rule, r.operating_mode, r.late, r.verdict, r.dismissal_reason,
        r.in_incident, r.dispatched, r.arrived
    FROM (
        SELECT -1 AS amount, counted.* UNION ALL SELECT 1, now.*
    ) r (amount, site, ordinal, counted_amount, change, position, alarm, raised_in, area,
        monitored, camera, pattern, model, rule, operating_mode, late, verdict, dismissal_reason,
        in_incident, dispatched, arrived)
    ORDER BY r.amount;
END
$$;

CREATE FUNCTION count_judged_alarm() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM count_alarm(NEW.id);
    RETURN NULL;
END
$$;
-- Ingest extends and clears alarms many times a second, and must not feel this.
CREATE TRIGGER alarm_judged AFTER UPDATE OF verdict, dismissal_reason ON alarms
    FOR EACH ROW
    WHEN (OLD.verdict <> NEW.verdict
        OR OLD.dismissal_reason IS DISTINCT FROM NEW.dismissal_reason)
    EXECUTE FUNCTION count_judged_alarm();

-- In the order of their ids, as alarms are locked.
CREATE FUNCTION count_linked_alarms() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM count_alarm(l.alarm) FROM (SELECT alarm FROM linked ORDER BY alarm) l;
    RETURN NULL;
END
$$;
CREATE TRIGGER alarms_linked AFTER INSERT ON incident_alarms
    REFERENCING NEW TABLE AS linked
    FOR EACH STATEMENT EXECUTE FUNCTION count_linked_alarms();
CREATE TRIGGER alarms_released AFTER UPDATE ON incident_alarms
    REFERENCING NEW TABLE AS linked
    FOR EACH STATEMENT EXECUTE FUNCTION count_linked_alarms();
CREATE TRIGGER alarms_unlinked AFTER DELETE ON incident_alarms
    REFERENCING OLD TABLE AS linked
    FOR EACH STATEMENT EXECUTE FUNCTION count_linked_alarms();

CREATE FUNCTION count_alarms_of_incident() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM count_alarm(l.alarm) FROM (
        SELECT a.alarm FROM incident_alarms a
        WHERE a.site = NEW.site AND a.incident = NEW.id AND NOT a.released
        ORDER BY a.alarm
    ) l;
    RETURN NULL;
END
$$;
-- A matter has its alarms only after it is there, so its insertion counts none.
CREATE TRIGGER incident_alarms_counted
    AFTER UPDATE OF intervention_count, first_arrived_at ON incidents
    FOR EACH ROW
    WHEN ((OLD.intervention_count > 0) <> (NEW.intervention_count > 0)
        OR (OLD.first_arrived_at IS NULL) <> (NEW.first_arrived_at IS NULL))
    EXECUTE FUNCTION count_alarms_of_incident();

-- The rows that the ledger of alarms must have, as the journal's documents tell: from each position
-- at which an alarm, its matter or the matter's interventions became another, what counted before
-- is taken back and what it was then is counted.
CREATE FUNCTION journaled_alarms()
RETURNS TABLE (
    site text, alarm text, known_position bigint, amount integer, fact jsonb)
LANGUAGE sql STABLE
BEGIN ATOMIC
    WITH document AS (
        SELECT d.*, lead(d.position) OVER (PARTITION BY d.subject ORDER BY d.position) AS replaced
        FROM (
            -- What a transaction says of one subject last is what it has made of it.
            SELECT DISTINCT ON (j.subject, p.position) j.site, j.subject,
                split_part(j.event, '.', 1) AS kind, p.position, j.document::jsonb AS document
            FROM journal j JOIN positions p ON p.change = j.change
            WHERE j.event LIKE 'alarm.%' OR j.event LIKE 'incident.%'
                OR j.event LIKE 'intervention.%' OR j.event LIKE 'area.%'
            ORDER BY j.subject, p.position, j.ordinal DESC
        ) d
    ), raised AS (
        SELECT DISTINCT ON (d.subject) d.subject AS alarm, d.document ->> 'area' AS area,
            d.position
        FROM document d WHERE d.kind = 'alarm' ORDER BY d.subject, d.position
    ), watched AS (
        SELECT r.alarm, (d.document ->> 'monitored')::boolean AS monitored
        FROM raised r
        JOIN document d ON d.kind = 'area' AND d.subject = r.area AND d.position <= r.position
            AND (d.replaced IS NULL OR d.replaced > r.position)
    ), link AS (
        SELECT a.alarm, d.subject AS incident, d.position, d.replaced
        FROM document d CROSS JOIN LATERAL jsonb_array_elements_text(d.document -> 'alarms') a (alarm)
        WHERE d.kind = 'incident' AND d.document ->> 'retracted_at' IS NULL
    ), dispatch AS (
        SELECT d.document ->> 'incident' AS incident, d.position, d.replaced,
            d.document ->> 'arrived_at' IS NOT NULL AS arrived,
            d.document ->> 'status' = 'cancelled' AS cancelled
        FROM document d WHERE d.kind = 'intervention'
    ), moment AS (
        SELECT d.subject AS alarm, d.position FROM document d WHERE d.kind = 'alarm'
        UNION
        SELECT l.alarm, l.position FROM link l
        UNION
        SELECT l.alarm, l.replaced FROM link l WHERE l.replaced IS NOT NULL
        UNION
        SELECT l.alarm, n.position
        FROM link l JOIN dispatch n ON n.incident = l.incident AND n.position >= l.position
    ), stage AS (
        SELECT m.alarm, m.position, count(l.incident) > 0 AS in_incident,
            count(n.incident) > 0 AS dispatched, coalesce(bool_or(n.arrived), false) AS arrived
        FROM moment m
        LEFT JOIN link l ON l.alarm = m.alarm AND l.position <= m.position
            AND (l.replaced IS NULL OR l.replaced > m.position)
        LEFT JOIN dispatch n ON n.incident = l.incident AND n.position <= m.position
            AND (n.replaced IS NULL OR n.replaced > m.position) AND NOT n.cancelled
        GROUP BY m.alarm, m.position
    ), stated AS (
        SELECT d.site, s.alarm, s.position, jsonb_build_object(
            'raised_in', quarter_hour((d.document ->> 'raised_at')::timestamptz),
            'area', d.document -> 'area',
            'monitored', w.monitored,
            'camera', d.document -> 'camera',
            'pattern', d.document -> 'pattern',
            'model', d.document -> 'model',
            'rule', d.document -> 'rule_version',
            'operating_mode', d.document -> 'operating_mode',
            'late', d.document -> 'late',
            'verdict', d.document -> 'verdict',
            'dismissal_reason', d.document -> 'dismissal_reason',
            'in_incident', s.in_incident,
            'dispatched', s.dispatched,
            'arrived', s.arrived) AS fact
        FROM stage s
        JOIN document d ON d.kind = 'alarm' AND d.subject = s.alarm AND d.position <= s.position
            AND (d.replaced IS NULL OR d.replaced > s.position)
        LEFT JOIN watched w ON w.alarm = s.alarm
    ), became AS (
        SELECT s.*, lag(s.fact) OVER (PARTITION BY s.alarm ORDER BY s.position) AS before
        FROM stated s
    )
    SELECT b.site, b.alarm, b.position, 1, b.fact
    FROM became b WHERE b.fact IS DISTINCT FROM b.before
    UNION ALL
    SELECT b.site, b.alarm, b.position, -1, b.before FROM became b WHERE b.fact <> b.before;
END;

-- What existed before this migration counts as the journal says.
INSERT INTO alarm_ledger (site, amount, change, alarm, raised_in, area, monitored, camera, pattern,
    model, rule, operating_mode, late, verdict, dismissal_reason, in_incident, dispatched, arrived)
SELECT j.site, j.amount, p.change, j.alarm::uuid, f.raised_in, f.area,
    f.monitored, f.camera, f.pattern, f.model, f.rule, f.operating_mode,
    f.late, f.verdict, f.dismissal_reason, f.in_incident, f.dispatched, f.arrived
FROM journaled_alarms() j
JOIN positions p ON p.position = j.known_position
CROSS JOIN LATERAL jsonb_populate_record(NULL::alarm_ledger, j.fact) f
ORDER BY j.known_position, j.amount;

-- Detections.

-- How many detections of each kind became known by a run, by the quarter hour in which they
-- happened. Append-only, and no run counts a detection that another one has.
CREATE TABLE detection_ledger (
    site text NOT NULL,
    ordinal bigint GENERATED ALWAYS AS IDENTITY,
    amount bigint NOT NULL CHECK (amount > 0),
    change bigint NOT NULL,
    position bigint,
    -- As an alarm's raise: when it was received, where the node's clock is ahead of ours.
    occurred_in timestamptz NOT NULL,
    area uuid NOT NULL,
    monitored boolean NOT NULL,
    camera uuid NOT NULL,
    pattern text NOT NULL,
    model text NOT NULL,
    -- The version in force when it was received; NULL: the product's defaults.
    rule integer,
    operating_mode text NOT NULL,
    late boolean NOT NULL,
    counted_only boolean NOT NULL,
    -- 0: confidence below 0.1; 9: from 0.9.
    confidence_decile smallint NOT NULL CHECK (confidence_decile BETWEEN 0 AND 9),
    PRIMARY KEY (site, occurred_in, ordinal)
);
GRANT SELECT ON detection_ledger TO leitstand;
CREATE INDEX detection_ledger_by_position ON detection_ledger (position);
CREATE INDEX detection_ledger_by_change ON detection_ledger (change);

-- What each run has counted: the detections of the positions (from, to], which are all that were
-- recorded before `counted_before` and by no earlier run.
CREATE TABLE detection_runs (
    change bigint PRIMARY KEY,
    from_position bigint NOT NULL UNIQUE,
    to_position bigint NOT NULL UNIQUE,
    counted_before timestamptz NOT NULL,
    CHECK (from_position < to_position)
);
GRANT SELECT ON detection_runs TO leitstand;

-- Finds the detections of some positions. A summary of each stretch of pages costs an insertion next
-- to nothing, since changes are stored nearly in their order.
CREATE INDEX detections_by_change ON detections USING brin (change);

CREATE FUNCTION count_detections_of(
    source regclass, change bigint, after_position bigint, to_position bigint) RETURNS void
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    EXECUTE format(
        'INSERT INTO detection_ledger (site, amount, change, occurred_in, area, monitored, camera,
            pattern, model, rule, operating_mode, late, counted_only, confidence_decile)
        SELECT d.site, count(*), $1, quarter_hour(least(d.occurred_at, d.received_at)), c.area,
            was_monitored(d.site, c.area, d.received_at), d.camera, d.pattern, d.model, r.version, d.operating_mode, d.late,
            d.counted_only, least(floor(d.confidence * 10), 9)::smallint
        FROM positions p
        JOIN %s d ON d.change = p.change AND d.change BETWEEN $4 AND $5
        -- Where the camera was when it told of them, as their alarm has it.
        JOIN camera_periods c ON c.site = d.site AND c.camera = d.camera
            AND tstzrange(c.valid_from, c.valid_to) @> d.received_at
        LEFT JOIN LATERAL (
            SELECT max(version) AS version FROM correlation_rules r
            WHERE r.site = d.site AND r.pattern = d.pattern AND r.created_at <= d.received_at
        ) r ON true
        WHERE p.position > $2 AND p.position <= $3
        GROUP BY 1, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14', source)
    USING count_detections_of.change, after_position, to_position,
        (SELECT min(p.change) FROM positions p
            WHERE p.position > after_position AND p.position <= to_position),
        (SELECT max(p.change) FROM positions p
            WHERE p.position > after_position AND p.position <= to_position);
END
$$;

-- What a run has counted of a site, as bytes that are the same whenever they are made.
CREATE FUNCTION detection_run_hash(change bigint, site text) RETURNS bytea
LANGUAGE sql STABLE
RETURN (
    SELECT sha256(coalesce(
        string_agg(
            convert_to(
                concat_ws(
                    ' ', l.amount, rfc3339(l.occurred_in), l.area, l.monitored, l.camera,
                    l.pattern, quote_literal(l.model), coalesce(l.rule::text, '-'),
                    l.operating_mode, l.late, l.counted_only, l.confidence_decile) || E'\n',
                'UTF8'),
            '' ORDER BY l.ordinal),
        ''))
    FROM detection_ledger l
    WHERE l.change = detection_run_hash.change AND l.site = detection_run_hash.site);

-- The position up to which detections are counted.
CREATE FUNCTION counted_position() RETURNS bigint
LANGUAGE sql STABLE
RETURN (SELECT coalesce(max(r.to_position), 0) FROM detection_runs r);

-- How many positions there are, up to one, whose detections are not counted. Those of the counting
-- itself have none: else each run would be followed by another for ever.
CREATE FUNCTION uncounted_positions(last_position bigint) RETURNS bigint
LANGUAGE sql STABLE
RETURN (
    SELECT count(*) FROM positions p
    WHERE p.position > counted_position() AND p.position <= last_position
        AND NOT EXISTS (SELECT FROM detection_runs r WHERE r.change = p.change));

-- Counts the detections that are not counted yet and were recorded before an instant; NULL: all that
-- are there. Any instance may call it; one at a time counts. Returns how many positions it went
-- through that are not of such runs.
CREATE FUNCTION count_detections(recorded_before timestamptz DEFAULT NULL) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
<<counting>>
DECLARE
    change bigint;
    after_position bigint;
    to_position bigint;
    passed bigint;
    retiring text;
BEGIN
    IF NOT pg_try_advisory_xact_lock(7236012) THEN
        RETURN 0;
    END IF;
    -- Whoever has a position by now is waited for; whoever takes one later is recorded later.
    PERFORM pg_advisory_lock_shared(7236001);
    PERFORM pg_advisory_unlock_shared(7236001);
    after_position := counted_position();
    SELECT p.position, coalesce(recorded_before, p.recorded_at + interval '1 microsecond')
    INTO to_position, recorded_before
    FROM positions p
    WHERE recorded_before IS NULL OR p.recorded_at < recorded_before
    ORDER BY p.recorded_at DESC LIMIT 1;
    passed := uncounted_positions(to_position);
    IF passed = 0 THEN
        RETURN 0;
    END IF;
    change := nextval('changes');
    PERFORM count_detections_of('detections', change, after_position, to_position);
    -- What retention has taken out of detections and not dropped yet.
    FOR retiring IN SELECT r.name FROM retiring_partitions r LOOP
        PERFORM count_detections_of(retiring::regclass, change, after_position, to_position);
    END LOOP;
    INSERT INTO detection_runs VALUES (change, after_position, to_position, recorded_before);
    INSERT INTO journal (change, ordinal, event, site, subject, occurred_at, document)
    SELECT counting.change, row_number() OVER (ORDER BY l.site), 'detections.counted', l.site,
        l.site, clock_timestamp(), json_build_object(
            'site', l.site,
            'after_position', after_position,
            'to_position', counting.to_position,
            'recorded_before', rfc3339(recorded_before),
            'detections', sum(l.amount),
            'rows', count(*),
            'hash', encode(detection_run_hash(counting.change, l.site), 'hex'))
    FROM detection_ledger l WHERE l.change = counting.change
    GROUP BY l.site;
    PERFORM append_position(change);
    RETURN passed;
END
$$;

-- Refusals.

-- How many detections of a site were turned away for a reason, by the quarter hour of receipt; from
-- the server's memory every few seconds, as no row of theirs is kept.
CREATE TABLE refusal_ledger (
    site text NOT NULL REFERENCES sites,
    ordinal bigint GENERATED ALWAYS AS IDENTITY,
    amount bigint NOT NULL CHECK (amount > 0),
    change bigint NOT NULL,
    position bigint,
    received_in timestamptz NOT NULL,
    -- The code of the problem that the node was answered.
    reason text NOT NULL,
    PRIMARY KEY (site, received_in, ordinal)
);
GRANT SELECT, INSERT ON refusal_ledger TO leitstand;
CREATE INDEX refusal_ledger_by_position ON refusal_ledger (position);

-- What the ledgers of alarms and detections say differently from the journal, as
-- ledger_differences() does.
CREATE FUNCTION alarm_ledger_differences()
RETURNS TABLE (
    kind text, site text, subject text, known_position bigint, fact text, amount bigint)
LANGUAGE sql STABLE
BEGIN ATOMIC
    WITH counted AS (
        SELECT 'alarm' AS kind, j.site, j.alarm AS subject, j.known_position AS position, j.fact,
            -j.amount AS amount
        FROM journaled_alarms() j
        UNION ALL
        SELECT 'alarm', l.site, l.alarm::text, coalesce(l.position, p.position),
            jsonb_build_object(
                'raised_in', l.raised_in,
                'area', l.area,
                'monitored', l.monitored,
                'camera', l.camera,
                'pattern', l.pattern,
                'model', l.model,
                'rule', l.rule,
                'operating_mode', l.operating_mode,
                'late', l.late,
                'verdict', l.verdict,
                'dismissal_reason', l.dismissal_reason,
                'in_incident', l.in_incident,
                'dispatched', l.dispatched,
                'arrived', l.arrived), l.amount
        FROM alarm_ledger l LEFT JOIN positions p ON p.change = l.change
        UNION ALL
        SELECT 'detections', j.site, j.subject, p.position,
            jsonb_build_object('hash', j.document ->> 'hash'), -1
        FROM journal j JOIN positions p ON p.change = j.change
        WHERE j.event = 'detections.counted'
        UNION ALL
        SELECT 'detections', r.site, r.site, p.position,
            jsonb_build_object('hash', encode(detection_run_hash(r.change, r.site), 'hex')), 1
        FROM (SELECT DISTINCT l.site, l.change FROM detection_ledger l) r
        LEFT JOIN positions p ON p.change = r.change
    )
    SELECT c.kind, c.site, c.subject, c.position, c.fact::text, sum(c.amount)
    FROM counted c
    GROUP BY c.kind, c.site, c.subject, c.position, c.fact
    HAVING sum(c.amount) <> 0
    ORDER BY c.kind, c.site, c.subject, c.position, sum(c.amount);
END;

REVOKE EXECUTE ON FUNCTION count_detections(timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION count_detections(timestamptz) TO leitstand;

-- The instants at which both begin, by the runs of the ledger.
CREATE FUNCTION sum_alarm_firsts(run integer, after_position bigint, to_position bigint)
RETURNS SETOF ledger_firsts
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT l.site, run, 'alarm', min(l.raised_in)
    FROM alarm_ledger l
    WHERE l.position > after_position AND l.position <= to_position
    GROUP BY l.site;
END;

CREATE FUNCTION sum_detection_firsts(run integer, after_position bigint, to_position bigint)
RETURNS SETOF ledger_firsts
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT l.site, run, 'detection', min(l.occurred_in)
    FROM detection_ledger l
    WHERE l.position > after_position AND l.position <= to_position
    GROUP BY l.site;
END;

INSERT INTO ledger_sums (summed_by, cells, ledger) VALUES
    ('sum_alarm_firsts', 'ledger_firsts', 'alarm_ledger'),
    ('sum_detection_firsts', 'ledger_firsts', 'detection_ledger');

-- Sums by month, as those of matters: each cube has the dimensions of its name beside the base's.

CREATE TABLE alarm_cells (
    site text NOT NULL,
    cube text NOT NULL CHECK (cube IN ('base', 'pattern', 'area', 'camera', 'dismissal')),
    run integer NOT NULL,
    month date NOT NULL,
    operating_mode text NOT NULL,
    late boolean NOT NULL,
    verdict text NOT NULL,
    in_incident boolean NOT NULL,
    dispatched boolean NOT NULL,
    arrived boolean NOT NULL,
    pattern text,
    model text,
    rule integer,
    area uuid,
    monitored boolean,
    camera uuid,
    dismissal_reason text,
    amount bigint NOT NULL
);
GRANT SELECT ON alarm_cells TO leitstand;
CREATE INDEX alarm_cells_by_run ON alarm_cells (run, cube, site, month);

CREATE TABLE detection_cells (
    site text NOT NULL,
    cube text NOT NULL CHECK (cube IN ('base', 'pattern', 'area', 'camera')),
    run integer NOT NULL,
    month date NOT NULL,
    operating_mode text NOT NULL,
    late boolean NOT NULL,
    confidence_decile smallint NOT NULL,
    pattern text,
    model text,
    rule integer,
    area uuid,
    monitored boolean,
    camera uuid,
    amount bigint NOT NULL
);
GRANT SELECT ON detection_cells TO leitstand;
CREATE INDEX detection_cells_by_run ON detection_cells (run, cube, site, month);

-- Matters by whether the analysis saw them.
CREATE TABLE assessment_cells (
    site text NOT NULL,
    cube text NOT NULL CHECK (cube IN ('base', 'pattern', 'area')),
    run integer NOT NULL,
    month date NOT NULL,
    operating_mode text NOT NULL,
    retracted boolean NOT NULL,
    assessment text NOT NULL,
    assessment_reason text,
    pattern text,
    model text,
    rule integer,
    area uuid,
    monitored boolean,
    amount bigint NOT NULL
);
GRANT SELECT ON assessment_cells TO leitstand;
CREATE INDEX assessment_cells_by_run ON assessment_cells (run, cube, site, month);

CREATE TABLE refusal_cells (
    site text NOT NULL,
    cube text NOT NULL CHECK (cube = 'base'),
    run integer NOT NULL,
    month date NOT NULL,
    reason text NOT NULL,
    amount bigint NOT NULL
);
GRANT SELECT ON refusal_cells TO leitstand;
CREATE INDEX refusal_cells_by_run ON refusal_cells (run, cube, site, month);

CREATE FUNCTION sum_alarms(run integer, after_position bigint, to_position bigint)
RETURNS SETOF alarm_cells
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT r.site,
        CASE
            WHEN grouping(r.dismissal_reason) = 0 THEN 'dismissal'
            WHEN grouping(r.pattern) = 0 THEN 'pattern'
            WHEN grouping(r.area) = 0 THEN 'area'
            WHEN grouping(r.camera) = 0 THEN 'camera'
            ELSE 'base'
        END,
        run, r.month, r.operating_mode, r.late, r.verdict, r.in_incident, r.dispatched,
        r.arrived, r.pattern, r.model, r.rule, r.area, r.monitored, r.camera, r.dismissal_reason,
        sum(r.amount)
    FROM (
        SELECT l.*, local_month(l.raised_in, s.time_zone) AS month
        FROM alarm_ledger l JOIN sites s ON s.id = l.site
        WHERE l.position > after_position AND l.position <= to_position
    ) r
    GROUP BY r.site, r.month, r.operating_mode, r.late, r.verdict, r.in_incident, r.dispatched,
        r.arrived,
        GROUPING SETS (
            (), (r.pattern, r.model, r.rule), (r.area, r.monitored), (r.camera),
            (r.dismissal_reason, r.pattern))
    HAVING sum(r.amount) <> 0;
END;

CREATE FUNCTION sum_detections(run integer, after_position bigint, to_position bigint)
RETURNS SETOF detection_cells
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT r.site,
        CASE
            WHEN grouping(r.pattern) = 0 THEN 'pattern'
            WHEN grouping(r.area) = 0 THEN 'area'
            WHEN grouping(r.camera) = 0 THEN 'camera'
            ELSE 'base'
        END,
        run, r.month, r.operating_mode, r.late, r.confidence_decile, r.pattern, r.model, r.rule,
        r.area, r.monitored, r.camera, sum(r.amount)::bigint
    FROM (
        SELECT l.*, local_month(l.occurred_in, s.time_zone) AS month
        FROM detection_ledger l JOIN sites s ON s.id = l.site
        WHERE l.position > after_position AND l.position <= to_position
    ) r
    GROUP BY r.site, r.month, r.operating_mode, r.late, r.confidence_decile,
        GROUPING SETS ((), (r.pattern, r.model, r.rule), (r.area, r.monitored), (r.camera));
END;

CREATE FUNCTION sum_assessments(run integer, after_position bigint, to_position bigint)
RETURNS SETOF assessment_cells
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT r.site,
        CASE
            WHEN grouping(r.pattern) = 0 THEN 'pattern'
            WHEN grouping(r.area) = 0 THEN 'area'
            ELSE 'base'
        END,
        run, r.month, r.operating_mode, r.retracted, r.assessment, r.assessment_reason,
        r.pattern, r.model, r.rule, r.area, r.monitored, sum(r.amount)
    FROM (
        SELECT l.*, local_month(l.occurred_in, s.time_zone) AS month
        FROM incident_ledger l JOIN sites s ON s.id = l.site
        WHERE l.position > after_position AND l.position <= to_position
    ) r
    GROUP BY r.site, r.month, r.operating_mode, r.retracted, r.assessment, r.assessment_reason,
        GROUPING SETS ((), (r.pattern, r.model, r.rule), (r.area, r.monitored))
    HAVING sum(r.amount) <> 0;
END;

CREATE FUNCTION sum_refusals(run integer, after_position bigint, to_position bigint)
RETURNS SETOF refusal_cells
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT r.site, 'base', run, r.month, r.reason, sum(r.amount)::bigint
    FROM (
        SELECT l.*, local_month(l.received_in, s.time_zone) AS month
        FROM refusal_ledger l JOIN sites s ON s.id = l.site
        WHERE l.position > after_position AND l.position <= to_position
    ) r
    GROUP BY r.site, r.month, r.reason;
END;

INSERT INTO ledger_sums (summed_by, cells, ledger) VALUES
    ('sum_alarms', 'alarm_cells', 'alarm_ledger'),
    ('sum_detections', 'detection_cells', 'detection_ledger'),
    ('sum_assessments', 'assessment_cells', 'incident_ledger'),
    ('sum_refusals', 'refusal_cells', 'refusal_ledger');
