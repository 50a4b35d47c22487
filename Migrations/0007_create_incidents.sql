-- Matters relevant to the police, how they were recognised, and the interventions they led to.

-- A matter, as it is known now; how it came to be known so is in the journal. The columns that
-- follow from its recognitions and interventions stand here too, so that a list, and whoever
-- counts, sees each matter before and after a change in one row.
CREATE TABLE incidents (
    site text NOT NULL REFERENCES sites,
    id uuid NOT NULL UNIQUE,
    category text NOT NULL
        CHECK (category IN ('criminal_offence', 'administrative_offence', 'hazard_prevention')),
    subcategory text,
    occurred_at timestamptz NOT NULL,
    -- Of the earliest recognition, as is the source.
    recognised_at timestamptz NOT NULL,
    source text NOT NULL CHECK (source IN ('automatic', 'observer', 'reported')),
    -- The behaviour that was seen; NULL: none of the catalogue.
    pattern text,
    area uuid,
    operating_mode text NOT NULL,
    outcomes text[] NOT NULL DEFAULT '{}',
    -- The note is free text: its remark can be erased, the salted hash stays.
    note uuid,
    note_hash bytea,
    -- What counts: a person's word where there is one, else what was computed.
    assessment text NOT NULL DEFAULT 'not_assessable'
        CHECK (assessment IN ('detected', 'missed', 'not_assessable')),
    assessed_by_person boolean NOT NULL DEFAULT false,
    computed_assessment text NOT NULL DEFAULT 'not_assessable'
        CHECK (computed_assessment IN ('detected', 'missed', 'not_assessable')),
    computed_reason text,
    -- Of not_analysed: what the cameras in view were instead.
    computed_coverage text[],
    -- The model that saw it, or missed it, and the version of the rule in force then; where several
    -- models looked, their names parted by commas. NULL: not detected and not missed, or by the
    -- product's defaults.
    computed_model text,
    computed_rule integer,
    -- When to compute it again: late detections may still come. NULL: no more.
    assess_after timestamptz,
    -- Cancelled interventions count nowhere here.
    intervention_count integer NOT NULL DEFAULT 0,
    immediate_count integer NOT NULL DEFAULT 0,
    first_dispatched_at timestamptz,
    first_arrived_at timestamptz,
    retracted_at timestamptz,
    created_at timestamptz NOT NULL,
    revision bigint NOT NULL DEFAULT 1,
    PRIMARY KEY (site, id),
    FOREIGN KEY (site, area) REFERENCES areas (site, id),
    CHECK ((note IS NULL) = (note_hash IS NULL))
);
GRANT SELECT, INSERT, UPDATE ON incidents TO leitstand;
-- Lists are newest first and page by (occurred_at, id).
CREATE INDEX incidents_by_age ON incidents (site, occurred_at, id);
CREATE INDEX incidents_by_category ON incidents (site, category, occurred_at, id);
CREATE INDEX incidents_by_area ON incidents (site, area, occurred_at, id);
CREATE INDEX incidents_by_subcategory ON incidents (site, subcategory, occurred_at, id)
    WHERE subcategory IS NOT NULL;
CREATE INDEX incidents_by_source ON incidents (site, source, occurred_at, id);
CREATE INDEX incidents_by_pattern ON incidents (site, pattern, occurred_at, id)
    WHERE pattern IS NOT NULL;
CREATE INDEX incidents_by_assessment ON incidents (site, assessment, occurred_at, id);
CREATE INDEX incidents_by_mode ON incidents (site, operating_mode, occurred_at, id)
    WHERE operating_mode <> 'production';
CREATE INDEX incidents_by_immediacy ON incidents (site, occurred_at, id)
    WHERE immediate_count > 0;
CREATE INDEX incidents_retracted ON incidents (site, occurred_at, id)
    WHERE retracted_at IS NOT NULL;
-- One for each outcome: a matter has few of them, and a page is read in its order.
CREATE INDEX incidents_by_proceedings ON incidents (site, occurred_at, id)
    WHERE 'proceedings' = ANY (outcomes);
CREATE INDEX incidents_by_fine_proceedings ON incidents (site, occurred_at, id)
    WHERE 'fine_proceedings' = ANY (outcomes);
CREATE INDEX incidents_by_arrest ON incidents (site, occurred_at, id)
    WHERE 'arrest' = ANY (outcomes);
CREATE INDEX incidents_by_custody ON incidents (site, occurred_at, id)
    WHERE 'custody' = ANY (outcomes);
CREATE INDEX incidents_by_identity_check ON incidents (site, occurred_at, id)
    WHERE 'identity_check' = ANY (outcomes);
CREATE INDEX incidents_by_removal_order ON incidents (site, occurred_at, id)
    WHERE 'removal_order' = ANY (outcomes);
CREATE INDEX incidents_by_warning ON incidents (site, occurred_at, id)
    WHERE 'warning' = ANY (outcomes);
CREATE INDEX incidents_by_medical_aid ON incidents (site, occurred_at, id)
    WHERE 'medical_aid' = ANY (outcomes);
CREATE INDEX incidents_by_recordings_secured ON incidents (site, occurred_at, id)
    WHERE 'recordings_secured' = ANY (outcomes);
CREATE INDEX incidents_by_handed_over ON incidents (site, occurred_at, id)
    WHERE 'handed_over' = ANY (outcomes);
CREATE INDEX incidents_by_other ON incidents (site, occurred_at, id)
    WHERE 'other' = ANY (outcomes);
CREATE INDEX incidents_by_reason ON incidents (
    site, (CASE WHEN assessed_by_person THEN 'overruled' ELSE computed_reason END),
    occurred_at, id);
CREATE INDEX incidents_by_recognition ON incidents (site, recognised_at);
CREATE INDEX incidents_by_creation ON incidents (site, created_at);
CREATE INDEX incidents_to_assess ON incidents (assess_after) WHERE assess_after IS NOT NULL;

-- The cameras that had the matter in view.
CREATE TABLE incident_cameras (
    site text NOT NULL,
    incident uuid NOT NULL,
    camera uuid NOT NULL,
    PRIMARY KEY (site, incident, camera),
    FOREIGN KEY (site, incident) REFERENCES incidents (site, id),
    FOREIGN KEY (site, camera) REFERENCES cameras (site, id)
);
GRANT SELECT, INSERT, DELETE ON incident_cameras TO leitstand;
CREATE INDEX incident_cameras_by_camera ON incident_cameras (camera, incident);

-- The alarms of the matter: several cameras may have seen it.
CREATE TABLE incident_alarms (
    site text NOT NULL,
    incident uuid NOT NULL,
    alarm uuid NOT NULL,
    -- By the incident's retraction: the alarm may belong to another incident then.
    released boolean NOT NULL DEFAULT false,
    PRIMARY KEY (site, incident, alarm),
    FOREIGN KEY (site, incident) REFERENCES incidents (site, id),
    FOREIGN KEY (site, alarm) REFERENCES alarms (site, id)
);
GRANT SELECT, INSERT, DELETE ON incident_alarms TO leitstand;
GRANT UPDATE (released) ON incident_alarms TO leitstand;
-- An alarm belongs to one matter, or its matters would be counted twice.
CREATE UNIQUE INDEX incident_alarms_once ON incident_alarms (alarm) WHERE NOT released;

-- Notes at each of these alarms to which matter it belongs now that incident_alarms has changed,
-- and journals those for which that is another than before. Returns how many it journaled.
CREATE FUNCTION note_linked_alarms(
    change bigint, ordinal integer, touched uuid[], instant timestamptz, actor uuid, role text,
    request_id text) RETURNS integer
LANGUAGE plpgsql AS $$
DECLARE
    journaled integer;
BEGIN
    -- In the order in which steps lock them too.
    PERFORM FROM alarms a WHERE a.id = ANY (touched) ORDER BY a.id FOR NO KEY UPDATE;
    WITH noted AS (
        UPDATE alarms a
        SET incident = linked.incident
        FROM unnest(touched) AS asked (id)
        LEFT JOIN incident_alarms linked ON linked.alarm = asked.id AND NOT linked.released
        WHERE a.id = asked.id AND a.incident IS DISTINCT FROM linked.incident
        RETURNING a.site, a.id, a.incident, alarm_document(a) AS document
    )
    INSERT INTO journal (change, ordinal, event, site, subject, occurred_at, actor, role,
        request_id, document)
    SELECT note_linked_alarms.change,
        note_linked_alarms.ordinal + row_number() OVER (ORDER BY n.id) - 1,
        CASE WHEN n.incident IS NULL THEN 'alarm.unlinked' ELSE 'alarm.linked' END,
        n.site, n.id, instant, note_linked_alarms.actor, note_linked_alarms.role,
        note_linked_alarms.request_id, n.document
    FROM noted n;
    GET DIAGNOSTICS journaled = ROW_COUNT;
    RETURN journaled;
END
$$;

-- Each way in which somebody or something came to know of a matter. A correction withdraws one
-- and adds another; none is ever removed.
CREATE TABLE recognitions (
    site text NOT NULL,
    incident uuid NOT NULL,
    ordinal integer NOT NULL,
    kind text NOT NULL CHECK (kind IN ('alarm', 'observer', 'call')),
    at timestamptz NOT NULL,
    alarm uuid,
    -- Nobody said when: it stands at occurred_at, and moves with it.
    assumed boolean NOT NULL DEFAULT false,
    change bigint NOT NULL,
    withdrawn_at timestamptz,
    PRIMARY KEY (site, incident, ordinal),
    FOREIGN KEY (site, incident) REFERENCES incidents (site, id),
    FOREIGN KEY (site, alarm) REFERENCES alarms (site, id),
    CHECK ((kind = 'alarm') = (alarm IS NOT NULL))
);
GRANT SELECT, INSERT ON recognitions TO leitstand;
GRANT UPDATE (withdrawn_at) ON recognitions TO leitstand;

CREATE TABLE interventions (
    site text NOT NULL,
    id uuid NOT NULL UNIQUE,
    incident uuid NOT NULL,
    immediate boolean NOT NULL,
    precinct text,
    unit text,
    status text NOT NULL CHECK (status IN ('dispatched', 'arrived', 'completed', 'cancelled')),
    dispatched_at timestamptz NOT NULL,
    arrived_at timestamptz,
    arrival_source text CHECK (arrival_source IN ('radio_status', 'keyed', 'later')),
    completed_at timestamptz,
    cancelled_at timestamptz,
    created_at timestamptz NOT NULL,
    revision bigint NOT NULL DEFAULT 1,
    PRIMARY KEY (site, id),
    FOREIGN KEY (site, incident) REFERENCES incidents (site, id),
    CHECK (arrived_at >= dispatched_at),
    CHECK ((arrived_at IS NULL) = (arrival_source IS NULL)),
    CHECK (status <> 'arrived' OR arrived_at IS NOT NULL),
    CHECK (status <> 'dispatched' OR arrived_at IS NULL),
    CHECK ((status = 'completed') = (completed_at IS NOT NULL)),
    CHECK ((status = 'cancelled') = (cancelled_at IS NOT NULL))
);
GRANT SELECT, INSERT, UPDATE ON interventions TO leitstand;
CREATE INDEX interventions_by_age ON interventions (site, dispatched_at, id);
CREATE INDEX interventions_by_incident ON interventions (incident, dispatched_at, id);
CREATE INDEX interventions_by_precinct ON interventions (site, precinct, dispatched_at, id)
    WHERE precinct IS NOT NULL;
CREATE INDEX interventions_by_unit ON interventions (site, unit, dispatched_at, id)
    WHERE unit IS NOT NULL;
CREATE INDEX interventions_by_status ON interventions (site, status, dispatched_at, id);
CREATE INDEX interventions_by_arrival_source
    ON interventions (site, arrival_source, dispatched_at, id) WHERE arrival_source IS NOT NULL;

-- Counts an incident's interventions anew; part of each change of one of them.
CREATE FUNCTION count_interventions(site text, incident uuid) RETURNS void
LANGUAGE sql
BEGIN ATOMIC
    UPDATE incidents i
    SET intervention_count = counted.interventions, immediate_count = counted.immediate,
        first_dispatched_at = counted.dispatched_at, first_arrived_at = counted.arrived_at,
        revision = revision + 1
    FROM (
        SELECT count(*) AS interventions, count(*) FILTER (WHERE n.immediate) AS immediate,
            min(n.dispatched_at) AS dispatched_at, min(n.arrived_at) AS arrived_at
        FROM interventions n
        -- An incident's id is unique. With the site beside it a planner without statistics, as
        -- during an import, takes an index that begins with the site and reads all of it.
        WHERE n.incident = count_interventions.incident AND n.status <> 'cancelled') counted
    WHERE i.site = count_interventions.site AND i.id = count_interventions.incident;
END;

-- The note appears by its remark alone: the journal keeps this document, and what a person wrote
-- must stay erasable. Readers get the text from with_remarks.
CREATE FUNCTION incident_document(incident incidents) RETURNS json
LANGUAGE sql STABLE
RETURN json_build_object(
    'id', incident.id,
    'site', incident.site,
    'area', incident.area,
    'category', incident.category,
    'subcategory', incident.subcategory,
    'occurred_at', rfc3339(incident.occurred_at),
    'recognised_at', rfc3339(incident.recognised_at),
    'source', incident.source,
    'pattern', incident.pattern,
    'operating_mode', incident.operating_mode,
    'cameras', coalesce(
        (SELECT json_agg(c.camera ORDER BY c.camera) FROM incident_cameras c
            WHERE c.site = (incident_document.incident).site
                AND c.incident = (incident_document.incident).id),
        '[]'),
    'alarms', coalesce(
        (SELECT json_agg(a.alarm ORDER BY a.alarm) FROM incident_alarms a
            WHERE a.site = (incident_document.incident).site
                AND a.incident = (incident_document.incident).id),
        '[]'),
    'recognitions', coalesce(
        (SELECT json_agg(
                json_build_object('kind', r.kind, 'at', rfc3339(r.at), 'alarm', r.alarm)
                ORDER BY r.at, r.ordinal)
            FROM recognitions r
            WHERE r.site = (incident_document.incident).site
                AND r.incident = (incident_document.incident).id AND r.withdrawn_at IS NULL),
        '[]'),
    'outcomes', to_json(incident.outcomes),
    'note', CASE WHEN incident.note IS NOT NULL THEN json_build_object(
        'remark', incident.note, 'hash', encode(incident.note_hash, 'hex')) END,
    'assessment', incident.assessment,
    'assessment_reason', CASE WHEN incident.assessed_by_person THEN 'overruled'
        ELSE incident.computed_reason END,
    'computed', json_build_object(
        'assessment', incident.computed_assessment,
        'reason', incident.computed_reason,
        'coverage', to_json(coalesce(incident.computed_coverage, '{}')),
        'model', incident.computed_model,
        'rule_version', incident.computed_rule),
    'interventions', coalesce(
        (SELECT json_agg(n.id ORDER BY n.dispatched_at, n.id) FROM interventions n
            WHERE n.incident = (incident_document.incident).id),
        '[]'),
    'immediate_intervention', incident.immediate_count > 0,
    'first_arrival_at', rfc3339(incident.first_arrived_at),
    'arrival_seconds',
        floor(extract(epoch FROM incident.first_arrived_at - incident.recognised_at))::bigint,
    'retracted_at', rfc3339(incident.retracted_at),
    'created_at', rfc3339(incident.created_at));

CREATE FUNCTION intervention_document(intervention interventions) RETURNS json
LANGUAGE sql STABLE
RETURN json_build_object(
    'id', intervention.id,
    'site', intervention.site,
    'incident', intervention.incident,
    'immediate', intervention.immediate,
    'precinct', intervention.precinct,
    'unit', intervention.unit,
    'status', intervention.status,
    'dispatched_at', rfc3339(intervention.dispatched_at),
    'arrived_at', rfc3339(intervention.arrived_at),
    'arrival_source', intervention.arrival_source,
    'arrival_seconds',
        floor(extract(epoch FROM intervention.arrived_at - intervention.dispatched_at))::bigint,
    'completed_at', rfc3339(intervention.completed_at),
    'cancelled_at', rfc3339(intervention.cancelled_at),
    'created_at', rfc3339(intervention.created_at));

-- Whether the analysis had to see the matter, and did. Only what an observer or a caller brought
-- up can have been missed, and only where the pattern was permitted and a camera in view was
-- analysed for it.
CREATE FUNCTION assess_incident(incident incidents)
RETURNS TABLE (assessment text, reason text, coverage text[])
LANGUAGE plpgsql STABLE AS $$
DECLARE
    in_view uuid[] := ARRAY(
        SELECT c.camera FROM incident_cameras c
        WHERE c.site = incident.site AND c.incident = (assess_incident.incident).id);
    camera uuid;
    states text[];
BEGIN
    IF incident.pattern IS NULL THEN
        RETURN QUERY SELECT 'not_assessable', 'no_pattern', NULL::text[];
    ELSIF EXISTS (
        SELECT FROM alarms a
        WHERE a.site = incident.site AND a.camera = ANY (in_view)
            AND a.pattern = incident.pattern
            AND a.raised_at BETWEEN incident.occurred_at - interval '60 seconds'
                AND incident.occurred_at + interval '120 seconds'
    ) THEN
        RETURN QUERY SELECT 'detected', NULL::text, NULL::text[];
    ELSIF incident.source = 'automatic' THEN
        -- An alarm made it known: nothing was missed, at most under another pattern.
        IF EXISTS (
            SELECT FROM incident_alarms l JOIN alarms a ON a.site = l.site AND a.id = l.alarm
            WHERE l.site = incident.site AND l.incident = (assess_incident.incident).id
                AND a.pattern = (assess_incident.incident).pattern
        ) THEN
            RETURN QUERY SELECT 'detected', NULL::text, NULL::text[];
        ELSE
            RETURN QUERY SELECT 'not_assessable', 'other_pattern', NULL::text[];
        END IF;
    ELSIF NOT was_permitted(incident.site, incident.pattern, incident.occurred_at) THEN
        RETURN QUERY SELECT 'not_assessable', 'not_permitted', NULL::text[];
    ELSIF in_view = '{}' THEN
        RETURN QUERY SELECT 'not_assessable', 'no_camera', NULL::text[];
    ELSE
        FOREACH camera IN ARRAY in_view LOOP
            IF was_analysed(incident.site, camera, incident.pattern, incident.occurred_at) THEN
                RETURN QUERY SELECT 'missed', NULL::text, NULL::text[];
                RETURN;
            END IF;
        END LOOP;
        states := ARRAY(
            SELECT DISTINCT covered.state
            FROM unnest(in_view) AS seen (camera)
            CROSS JOIN LATERAL coverage(
                incident.site, seen.camera, incident.pattern, incident.occurred_at,
                incident.occurred_at + interval '1 microsecond') covered
            WHERE covered.state <> 'analysed'
            ORDER BY covered.state);
        RETURN QUERY SELECT 'not_assessable', 'not_analysed', states;
    END IF;
END
$$;

-- Which models saw the matter, or had it in view and missed it; NULL of one that is neither.
CREATE FUNCTION assessed_model(incident incidents, assessment text) RETURNS text
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT string_agg(DISTINCT m.model, ', ' ORDER BY m.model)
    FROM (
        SELECT a.raised_by_model AS model
        FROM alarms a
        WHERE assessment = 'detected' AND a.site = (assessed_model.incident).site
            AND a.pattern = (assessed_model.incident).pattern
            AND (a.id IN (
                    SELECT l.alarm FROM incident_alarms l
                    WHERE l.site = (assessed_model.incident).site
                        AND l.incident = (assessed_model.incident).id)
                OR a.raised_at BETWEEN (assessed_model.incident).occurred_at - interval '60 seconds'
                        AND (assessed_model.incident).occurred_at + interval '120 seconds'
                    AND a.camera IN (
                        SELECT c.camera FROM incident_cameras c
                        WHERE c.site = (assessed_model.incident).site
                            AND c.incident = (assessed_model.incident).id))
        UNION ALL
        SELECT unnest(covered.models)
        FROM incident_cameras c
        CROSS JOIN LATERAL coverage(
            c.site, c.camera, (assessed_model.incident).pattern,
            (assessed_model.incident).occurred_at,
            (assessed_model.incident).occurred_at + interval '1 microsecond') covered
        WHERE assessment = 'missed' AND c.site = (assessed_model.incident).site
            AND c.incident = (assessed_model.incident).id AND covered.state = 'analysed'
    ) m;
END;

-- Computes an incident's assessment anew, and says whether it changed. A person's word stands.
-- Until detections are too old to raise an alarm it is to be computed again, ever more seldom.
CREATE FUNCTION settle_assessment(site text, incident uuid) RETURNS boolean
LANGUAGE plpgsql AS $$
DECLARE
    known incidents;
    computed record;
    model text;
    rule integer;
    final_at timestamptz;
BEGIN
    SELECT i.* INTO known FROM incidents i
    WHERE i.site = settle_assessment.site AND i.id = settle_assessment.incident;
    SELECT * INTO computed FROM assess_incident(known);
    model := assessed_model(known, computed.assessment);
    IF computed.assessment <> 'not_assessable' THEN
        rule := (
            SELECT max(r.version) FROM correlation_rules r
            WHERE r.site = known.site AND r.pattern = known.pattern
                AND r.created_at <= known.occurred_at);
    END IF;
    SELECT known.occurred_at + make_interval(hours => s.retention_hours + 1) INTO final_at
    FROM sites s WHERE s.id = settle_assessment.site;
    UPDATE incidents i
    SET computed_assessment = computed.assessment,
        computed_reason = computed.reason,
        computed_coverage = computed.coverage,
        computed_model = model,
        computed_rule = rule,
        assessment = CASE WHEN i.assessed_by_person THEN i.assessment ELSE computed.assessment END,
        assess_after = CASE
            WHEN i.retracted_at IS NULL AND clock_timestamp() < final_at THEN least(
                final_at,
                clock_timestamp() + greatest(
                    interval '1 minute', (clock_timestamp() - i.occurred_at) / 4))
        END
    WHERE i.site = settle_assessment.site AND i.id = settle_assessment.incident;
    RETURN (known.computed_assessment, known.computed_reason, known.computed_coverage,
            known.computed_model, known.computed_rule)
        IS DISTINCT FROM (computed.assessment, computed.reason, computed.coverage, model, rule);
END
$$;

-- Computes again what is due, for alarms and coverage that came late. Any instance may call it:
-- what another one holds is skipped. Returns how many incidents it journaled.
CREATE FUNCTION assess_due_incidents() RETURNS bigint
LANGUAGE plpgsql AS $$
<<assessing>>
DECLARE
    change bigint;
    journaled integer := 0;
    due incidents;
BEGIN
    FOR due IN
        SELECT * FROM incidents WHERE assess_after < clock_timestamp()
        ORDER BY assess_after LIMIT 500
        FOR UPDATE SKIP LOCKED
    LOOP
        -- What counts changes with the assessment, and is recorded under the number.
        change := coalesce(change, nextval('changes'));
        CONTINUE WHEN NOT settle_assessment(due.site, due.id);
        journaled := journaled + 1;
        UPDATE incidents i SET revision = i.revision + 1
        WHERE i.site = due.site AND i.id = due.id;
        INSERT INTO journal (change, ordinal, event, site, subject, occurred_at, document)
        SELECT assessing.change, journaled, 'incident.assessed', i.site, i.id,
            clock_timestamp(), incident_document(i)
        FROM incidents i WHERE i.site = due.site AND i.id = due.id;
    END LOOP;
    IF journaled > 0 THEN
        PERFORM append_position(change);
    END IF;
    RETURN journaled;
END
$$;
