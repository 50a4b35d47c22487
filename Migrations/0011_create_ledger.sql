-- What counts, as rows that are only ever added: a figure is a sum over them, and what was known
-- at an earlier position is the sum of the rows up to it. Corrections take back what was counted
-- and count anew, each at its own position; no figure is ever overwritten.
--
-- The rows are written by triggers, so that each path by which a fact changes is counted, in the
-- transaction of the change. Times are kept by the quarter hour in UTC, of which the local days
-- and hours of every time zone are made.

CREATE FUNCTION quarter_hour(instant timestamptz) RETURNS timestamptz
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN date_bin('15 minutes', instant, '2000-01-01T00:00:00Z');

-- A matter counts on its own day, once, however many units came.
CREATE TABLE incident_ledger (
    site text NOT NULL,
    ordinal bigint GENERATED ALWAYS AS IDENTITY,
    -- 1: from here on it counts so; -1: and no longer so.
    amount smallint NOT NULL CHECK (amount IN (-1, 1)),
    change bigint NOT NULL,
    -- Of the change; NULL until settle_ledger has looked it up.
    position bigint,
    incident uuid NOT NULL,
    occurred_in timestamptz NOT NULL,
    category text NOT NULL,
    subcategory text,
    source text NOT NULL,
    pattern text,
    area uuid,
    -- Whether the area was monitored when the matter was first counted there.
    monitored boolean,
    operating_mode text NOT NULL,
    outcomes text[] NOT NULL,
    assessment text NOT NULL,
    assessment_reason text,
    -- Which model saw it or missed it, under which version of the rule.
    model text,
    rule integer,
    -- Units were sent, and not all recalled; some of them at once.
    intervened boolean NOT NULL,
    immediate boolean NOT NULL,
    -- From the recognition to the first arrival. NULL: none is known.
    arrival_seconds bigint,
    retracted boolean NOT NULL,
    PRIMARY KEY (site, occurred_in, ordinal),
    FOREIGN KEY (site, incident) REFERENCES incidents (site, id)
);
GRANT SELECT, INSERT ON incident_ledger TO leitstand;
-- What is taken back is what was counted last.
CREATE INDEX incident_ledger_by_incident ON incident_ledger (incident, ordinal);
CREATE INDEX incident_ledger_unsettled ON incident_ledger (change) WHERE position IS NULL;

-- Each dispatch, with what its matter was.
CREATE TABLE intervention_ledger (
    site text NOT NULL,
    ordinal bigint GENERATED ALWAYS AS IDENTITY,
    amount smallint NOT NULL CHECK (amount IN (-1, 1)),
    change bigint NOT NULL,
    position bigint,
    intervention uuid NOT NULL,
    dispatched_in timestamptz NOT NULL,
    precinct text,
    immediate boolean NOT NULL,
    -- From the dispatch to the arrival.
    arrival_seconds bigint,
    cancelled boolean NOT NULL,
    category text NOT NULL,
    subcategory text,
    source text NOT NULL,
    pattern text,
    area uuid,
    monitored boolean,
    operating_mode text NOT NULL,
    -- Its matter was.
    retracted boolean NOT NULL,
    PRIMARY KEY (site, dispatched_in, ordinal),
    FOREIGN KEY (site, intervention) REFERENCES interventions (site, id)
);
GRANT SELECT, INSERT ON intervention_ledger TO leitstand;
CREATE INDEX intervention_ledger_by_intervention ON intervention_ledger (intervention, ordinal);
CREATE INDEX intervention_ledger_unsettled ON intervention_ledger (change)
    WHERE position IS NULL;

-- The number of the transaction's change. A session that has not taken one yet would answer with
-- that of its transaction before, and what counts would be known too early.
CREATE FUNCTION ledger_change() RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
    number CONSTANT bigint := currval('changes');
BEGIN
    IF EXISTS (SELECT FROM positions p WHERE p.change = number) THEN
        RAISE 'what counts has changed before its change had a number';
    END IF;
    RETURN number;
END
$$;

-- Counts a matter as it is now, if that is not how it counts already.
CREATE FUNCTION count_incident(incident incidents) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    counted incident_ledger;
    now incident_ledger;
    number bigint;
BEGIN
    SELECT * INTO counted FROM incident_ledger l
    WHERE l.incident = (count_incident.incident).id ORDER BY l.ordinal DESC LIMIT 1;
    now := counted;
    now.occurred_in := quarter_hour(incident.occurred_at);
    now.category := incident.category;
    now.subcategory := incident.subcategory;
    now.source := incident.source;
    now.pattern := incident.pattern;
    IF counted.incident IS NULL OR counted.area IS DISTINCT FROM incident.area THEN
        now.area := incident.area;
        -- Locked, so that it is known before this change or after it, in the order of the
        -- positions, from which ledger_differences() can tell it again.
        now.monitored := (
            SELECT a.monitored FROM areas a WHERE a.site = incident.site AND a.id = incident.area
            FOR SHARE);
    END IF;
    now.operating_mode := incident.operating_mode;
    now.outcomes := incident.outcomes;
    now.assessment := incident.assessment;
    now.assessment_reason := CASE WHEN incident.assessed_by_person THEN 'overruled'
        ELSE incident.computed_reason END;
    now.model := incident.computed_model;
    now.rule := incident.computed_rule;
    now.intervened := incident.intervention_count > 0;
    now.immediate := incident.immediate_count > 0;
    now.arrival_seconds :=
        floor(extract(epoch FROM incident.first_arrived_at - incident.recognised_at));
    now.retracted := incident.retracted_at IS NOT NULL;
    IF now IS NOT DISTINCT FROM counted THEN
        RETURN;
    END IF;
    number := ledger_change();
    IF counted.incident IS NOT NULL THEN
        INSERT INTO incident_ledger (site, amount, change, incident, occurred_in, category,
            subcategory, source, pattern, area, monitored, operating_mode, outcomes, assessment,
            assessment_reason, model, rule, intervened, immediate, arrival_seconds, retracted)
        VALUES (counted.site, -1, number, counted.incident, counted.occurred_in, counted.category,
            counted.subcategory, counted.source, counted.pattern, counted.area, counted.monitored,
            counted.operating_mode, counted.outcomes, counted.assessment,
            counted.assessment_reason, counted.model, counted.rule, counted.intervened,
            counted.immediate,
            counted.arrival_seconds, counted.retracted);
    END IF;
    INSERT INTO incident_ledger (site, amount, change, incident, occurred_in, category,
        subcategory, source, pattern, area, monitored, operating_mode, outcomes, assessment,
        assessment_reason, model, rule, intervened, immediate, arrival_seconds, retracted)
    VALUES (incident.site, 1, number, incident.id, now.occurred_in, now.category,
        now.subcategory, now.source, now.pattern, now.area, now.monitored, now.operating_mode,
        now.outcomes, now.assessment, now.assessment_reason, now.model, now.rule,
        now.intervened, now.immediate,
        now.arrival_seconds, now.retracted);
END
$$;

CREATE FUNCTION count_intervention(intervention interventions) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    counted intervention_ledger;
    now intervention_ledger;
    matter incident_ledger;
    number bigint;
BEGIN
    SELECT * INTO counted FROM intervention_ledger l
    WHERE l.intervention = (count_intervention.intervention).id ORDER BY l.ordinal DESC LIMIT 1;
    SELECT * INTO STRICT matter FROM incident_ledger l
    WHERE l.incident = (count_intervention.intervention).incident
    ORDER BY l.ordinal DESC LIMIT 1;
    now := counted;
    now.dispatched_in := quarter_hour(intervention.dispatched_at);
    now.precinct := intervention.precinct;
    now.immediate := intervention.immediate;
    now.arrival_seconds :=
        floor(extract(epoch FROM intervention.arrived_at - intervention.dispatched_at));
    now.cancelled := intervention.status = 'cancelled';
    now.category := matter.category;
    now.subcategory := matter.subcategory;
    now.source := matter.source;
    now.pattern := matter.pattern;
    now.area := matter.area;
    now.monitored := matter.monitored;
    now.operating_mode := matter.operating_mode;
    now.retracted := matter.retracted;
    IF now IS NOT DISTINCT FROM counted THEN
        RETURN;
    END IF;
    number := ledger_change();
    IF counted.intervention IS NOT NULL THEN
        INSERT INTO intervention_ledger (site, amount, change, intervention, dispatched_in,
            precinct, immediate, arrival_seconds, cancelled, category, subcategory, source,
            pattern, area, monitored, operating_mode, retracted)
        VALUES (counted.site, -1, number, counted.intervention, counted.dispatched_in,
            counted.precinct, counted.immediate, counted.arrival_seconds, counted.cancelled,
            counted.category, counted.subcategory, counted.source, counted.pattern, counted.area,
            counted.monitored, counted.operating_mode, counted.retracted);
    END IF;
    INSERT INTO intervention_ledger (site, amount, change, intervention, dispatched_in,
        precinct, immediate, arrival_seconds, cancelled, category, subcategory, source,
        pattern, area, monitored, operating_mode, retracted)
    VALUES (intervention.site, 1, number, intervention.id, now.dispatched_in, now.precinct,
        now.immediate, now.arrival_seconds, now.cancelled, now.category, now.subcategory,
        now.source, now.pattern, now.area, now.monitored, now.operating_mode, now.retracted);
END
$$;

CREATE FUNCTION count_changed_incident() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM count_incident(NEW);
    -- Its interventions are counted by what it is.
    IF TG_OP = 'UPDATE' AND (OLD.category, OLD.subcategory, OLD.source, OLD.pattern, OLD.area,
            OLD.operating_mode, OLD.retracted_at IS NULL)
        IS DISTINCT FROM (NEW.category, NEW.subcategory, NEW.source, NEW.pattern, NEW.area,
            NEW.operating_mode, NEW.retracted_at IS NULL)
    THEN
        PERFORM count_intervention(n) FROM interventions n
        WHERE n.site = NEW.site AND n.incident = NEW.id;
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER incident_counted AFTER INSERT OR UPDATE ON incidents
    FOR EACH ROW EXECUTE FUNCTION count_changed_incident();

CREATE FUNCTION count_changed_intervention() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM count_intervention(NEW);
    RETURN NULL;
END
$$;
CREATE TRIGGER intervention_counted AFTER INSERT OR UPDATE ON interventions
    FOR EACH ROW EXECUTE FUNCTION count_changed_intervention();

-- Notes with each row the position of its change, which was not known yet when it was written: an
-- as-of question then reads no other table. It adds nothing that positions do not say already, and
-- until it has run the question looks there. The runtime role may change no row, so this runs with
-- the owner's rights. Returns how many rows it settled.
CREATE FUNCTION settle_ledger() RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    rows_max CONSTANT integer := 10000;
    settled bigint;
    more bigint;
BEGIN
    -- One instance at a time is enough.
    IF NOT pg_try_advisory_xact_lock(7236011) THEN
        RETURN 0;
    END IF;
    UPDATE incident_ledger l SET position = p.position
    FROM (SELECT change FROM incident_ledger WHERE position IS NULL
            ORDER BY change LIMIT rows_max) due
    JOIN positions p ON p.change = due.change
    WHERE l.change = due.change AND l.position IS NULL;
    GET DIAGNOSTICS settled = ROW_COUNT;
    UPDATE intervention_ledger l SET position = p.position
    FROM (SELECT change FROM intervention_ledger WHERE position IS NULL
            ORDER BY change LIMIT rows_max) due
    JOIN positions p ON p.change = due.change
    WHERE l.change = due.change AND l.position IS NULL;
    GET DIAGNOSTICS more = ROW_COUNT;
    RETURN settled + more;
END
$$;
REVOKE EXECUTE ON FUNCTION settle_ledger() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION settle_ledger() TO leitstand;

-- Whether a change was known at a position.
CREATE FUNCTION was_known(change bigint, known_position bigint) RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE
RETURN EXISTS (
    SELECT FROM positions p
    WHERE p.change = was_known.change AND p.position <= known_position);

-- What existed before this migration counts from its own last change on, which has a position.
INSERT INTO incident_ledger (site, amount, change, incident, occurred_in, category, subcategory,
    source, pattern, area, monitored, operating_mode, outcomes, assessment, assessment_reason,
    intervened, immediate, arrival_seconds, retracted)
SELECT i.site, 1, j.change, i.id, quarter_hour(i.occurred_at), i.category, i.subcategory,
    i.source, i.pattern, i.area, a.monitored, i.operating_mode, i.outcomes, i.assessment,
    CASE WHEN i.assessed_by_person THEN 'overruled' ELSE i.computed_reason END,
    i.intervention_count > 0, i.immediate_count > 0,
    floor(extract(epoch FROM i.first_arrived_at - i.recognised_at)), i.retracted_at IS NOT NULL
FROM incidents i
LEFT JOIN areas a ON a.site = i.site AND a.id = i.area
CROSS JOIN LATERAL (
    SELECT max(change) AS change FROM journal WHERE subject = i.id::text) j;
INSERT INTO intervention_ledger (site, amount, change, intervention, dispatched_in, precinct,
    immediate, arrival_seconds, cancelled, category, subcategory, source, pattern, area,
    monitored, operating_mode, retracted)
SELECT n.site, 1, j.change, n.id, quarter_hour(n.dispatched_at), n.precinct, n.immediate,
    floor(extract(epoch FROM n.arrived_at - n.dispatched_at)), n.status = 'cancelled',
    i.category, i.subcategory, i.source, i.pattern, i.area, a.monitored, i.operating_mode,
    i.retracted_at IS NOT NULL
FROM interventions n
JOIN incidents i ON i.site = n.site AND i.id = n.incident
LEFT JOIN areas a ON a.site = i.site AND a.id = i.area
CROSS JOIN LATERAL (
    SELECT max(change) AS change FROM journal WHERE subject = n.id::text) j;

-- What the ledger says differently from the journal's documents, each fact by itself: the journal
-- is read from its beginning, and from each position at which a matter or dispatch became another,
-- the ledger must have taken back what counted before and counted what it was then. So the
-- figures of every position are borne out, not only those of today. `amount`: what the ledger has
-- too much; `known_position`: from where on, NULL of a row whose change has none.
CREATE FUNCTION ledger_differences()
RETURNS TABLE (
    kind text, site text, subject text, known_position bigint, fact text, amount bigint)
LANGUAGE sql STABLE
BEGIN ATOMIC
    WITH document AS (
        -- What a transaction says of one subject last is what it has made of it.
        SELECT DISTINCT ON (j.subject, p.position) j.site, j.subject,
            split_part(j.event, '.', 1) AS kind, p.position, j.document::jsonb AS document
        FROM journal j JOIN positions p ON p.change = j.change
        WHERE j.event LIKE 'incident.%' OR j.event LIKE 'intervention.%' OR j.event LIKE 'area.%'
        ORDER BY j.subject, p.position, j.ordinal DESC
    ), dispatched AS (
        SELECT d.site, d.subject, d.position, d.document ->> 'incident' AS incident, d.document,
            (d.document ->> 'dispatched_at')::timestamptz AS dispatched_at,
            (d.document ->> 'arrived_at')::timestamptz AS arrived_at,
            d.document ->> 'status' = 'cancelled' AS cancelled,
            (d.document ->> 'immediate')::boolean AS immediate
        FROM document d WHERE d.kind = 'intervention'
    ), moment AS (
        SELECT d.subject AS incident, d.position FROM document d WHERE d.kind = 'incident'
        UNION
        SELECT d.incident, d.position FROM dispatched d
    ), dispatch_then AS (
        SELECT DISTINCT ON (m.incident, m.position, d.subject) m.position AS moment, d.*
        FROM moment m
        JOIN dispatched d ON d.incident = m.incident AND d.position <= m.position
        ORDER BY m.incident, m.position, d.subject, d.position DESC
    ), intervened AS (
        SELECT d.incident, d.moment, bool_or(d.immediate) AS immediate,
            min(d.arrived_at) AS arrived_at
        FROM dispatch_then d WHERE NOT d.cancelled
        GROUP BY d.incident, d.moment
    ), incident_version AS (
        SELECT d.*, d.document ->> 'area' AS area,
            row_number() OVER (PARTITION BY d.subject ORDER BY d.position) AS version,
            -- Where it was entered for the area in which it is then.
            CASE WHEN d.document ->> 'area' IS DISTINCT FROM lag(d.document ->> 'area')
                    OVER (PARTITION BY d.subject ORDER BY d.position)
                THEN d.position END AS entered
        FROM document d WHERE d.kind = 'incident'
    ), incident_there AS (
        SELECT v.*, max(v.entered) OVER (PARTITION BY v.subject ORDER BY v.position) AS there_since
        FROM incident_version v
    ), area_version AS (
        SELECT d.subject, (d.document ->> 'monitored')::boolean AS monitored, d.position,
            lead(d.position) OVER (PARTITION BY d.subject ORDER BY d.position) AS replaced
        FROM document d WHERE d.kind = 'area'
    ), incident_counted AS (
        SELECT v.*, a.monitored
        FROM incident_there v
        LEFT JOIN area_version a ON a.subject = v.area AND a.position <= v.there_since
            AND (a.replaced IS NULL OR a.replaced > v.there_since)
    ), moment_version AS (
        SELECT m.incident, m.position, count(d.subject)
            OVER (PARTITION BY m.incident ORDER BY m.position) AS version
        FROM moment m
        LEFT JOIN document d ON d.subject = m.incident AND d.position = m.position
            AND d.kind = 'incident'
    ), matter AS (
        SELECT v.site, v.subject, m.position, v.document, v.monitored,
            (v.document ->> 'recognised_at')::timestamptz AS recognised_at,
            n.incident IS NOT NULL AS intervened, coalesce(n.immediate, false) AS immediate,
            n.arrived_at
        FROM moment_version m
        JOIN incident_counted v ON v.subject = m.incident AND v.version = m.version
        LEFT JOIN intervened n ON n.incident = m.incident AND n.moment = m.position
    ), stated AS (
        SELECT 'incident' AS kind, m.site, m.subject, m.position, jsonb_build_object(
            'occurred_in', quarter_hour((m.document ->> 'occurred_at')::timestamptz),
            'category', m.document -> 'category',
            'subcategory', m.document -> 'subcategory',
            'source', m.document -> 'source',
            'pattern', m.document -> 'pattern',
            'area', m.document -> 'area',
            'monitored', m.monitored,
            'operating_mode', m.document -> 'operating_mode',
            'outcomes', m.document -> 'outcomes',
            'assessment', m.document -> 'assessment',
            'assessment_reason', m.document -> 'assessment_reason',
            'model', m.document -> 'computed' -> 'model',
            'rule', m.document -> 'computed' -> 'rule_version',
            'intervened', m.intervened,
            'immediate', m.immediate,
            'arrival_seconds',
                floor(extract(epoch FROM m.arrived_at - m.recognised_at))::bigint,
            'retracted', m.document ->> 'retracted_at' IS NOT NULL) AS fact
        FROM matter m
        UNION ALL
        SELECT 'intervention', d.site, d.subject, d.moment, jsonb_build_object(
            'dispatched_in', quarter_hour(d.dispatched_at),
            'precinct', d.document -> 'precinct',
            'immediate', d.immediate,
            'arrival_seconds',
                floor(extract(epoch FROM d.arrived_at - d.dispatched_at))::bigint,
            'cancelled', d.cancelled,
            'category', m.document -> 'category',
            'subcategory', m.document -> 'subcategory',
            'source', m.document -> 'source',
            'pattern', m.document -> 'pattern',
            'area', m.document -> 'area',
            'monitored', m.monitored,
            'operating_mode', m.document -> 'operating_mode',
            'retracted', m.document ->> 'retracted_at' IS NOT NULL)
        FROM dispatch_then d
        JOIN matter m ON m.subject = d.incident AND m.position = d.moment
    ), became AS (
        SELECT s.*, lag(s.fact) OVER (PARTITION BY s.kind, s.subject ORDER BY s.position) AS before
        FROM stated s
    ), counted AS (
        SELECT b.kind, b.site, b.subject, b.position, b.fact, -1 AS amount
        FROM became b WHERE b.fact IS DISTINCT FROM b.before
        UNION ALL
        SELECT b.kind, b.site, b.subject, b.position, b.before, 1
        FROM became b WHERE b.fact <> b.before
        UNION ALL
        SELECT 'incident', l.site, l.incident::text, coalesce(l.position, p.position),
            jsonb_build_object(
                'occurred_in', l.occurred_in,
                'category', l.category,
                'subcategory', l.subcategory,
                'source', l.source,
                'pattern', l.pattern,
                'area', l.area,
                'monitored', l.monitored,
                'operating_mode', l.operating_mode,
                'outcomes', l.outcomes,
                'assessment', l.assessment,
                'assessment_reason', l.assessment_reason,
                'model', l.model,
                'rule', l.rule,
                'intervened', l.intervened,
                'immediate', l.immediate,
                'arrival_seconds', l.arrival_seconds,
                'retracted', l.retracted), l.amount
        FROM incident_ledger l LEFT JOIN positions p ON p.change = l.change
        UNION ALL
        SELECT 'intervention', l.site, l.intervention::text, coalesce(l.position, p.position),
            jsonb_build_object(
                'dispatched_in', l.dispatched_in,
                'precinct', l.precinct,
                'immediate', l.immediate,
                'arrival_seconds', l.arrival_seconds,
                'cancelled', l.cancelled,
                'category', l.category,
                'subcategory', l.subcategory,
                'source', l.source,
                'pattern', l.pattern,
                'area', l.area,
                'monitored', l.monitored,
                'operating_mode', l.operating_mode,
                'retracted', l.retracted), l.amount
        FROM intervention_ledger l LEFT JOIN positions p ON p.change = l.change
    )
    SELECT c.kind, c.site, c.subject, c.position, c.fact::text, sum(c.amount)
    FROM counted c
    GROUP BY c.kind, c.site, c.subject, c.position, c.fact
    HAVING sum(c.amount) <> 0
    ORDER BY c.kind, c.site, c.subject, c.position, sum(c.amount);
END;
