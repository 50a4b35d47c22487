-- What observers and the process industry's measures (ISA-18.2) need of an alarm: the rule that
-- raised it, its group, whether and when it rang, who has to deal with it, and all its verdicts.

-- How detections of a pattern become alarms at a site. A rule is never changed: a new version
-- follows it, and each alarm keeps the version that it was raised under.
CREATE TABLE correlation_rules (
    site text NOT NULL REFERENCES sites,
    pattern text NOT NULL,
    version integer NOT NULL CHECK (version > 0),
    confidence_min double precision NOT NULL CHECK (confidence_min BETWEEN 0 AND 1),
    -- So many detections within the window raise an alarm.
    detections_min integer NOT NULL CHECK (detections_min > 0),
    detections_window interval NOT NULL,
    quiet interval NOT NULL,
    priority text NOT NULL,
    -- An alarm that nobody acknowledges for so long is overdue; NULL: never.
    escalate_after interval,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (site, pattern, version)
);
GRANT SELECT, INSERT ON correlation_rules TO leitstand;
CREATE TRIGGER configuration_changed AFTER INSERT ON correlation_rules
    FOR EACH STATEMENT EXECUTE FUNCTION count_configuration_change();

-- A camera, a pattern, both, or a single alarm put aside, with an end. Detections go on being
-- counted meanwhile; what is active when it ends rings then.
CREATE TABLE shelvings (
    site text NOT NULL REFERENCES sites,
    id uuid NOT NULL UNIQUE,
    alarm uuid,
    camera uuid,
    pattern text,
    -- The reason, which a person wrote.
    remark uuid NOT NULL REFERENCES remarks (id),
    shelved_by uuid NOT NULL,
    shelved_at timestamptz NOT NULL,
    until timestamptz NOT NULL,
    ended_at timestamptz,
    -- NULL: its time ran out.
    ended_by uuid,
    PRIMARY KEY (site, id),
    FOREIGN KEY (site, camera) REFERENCES cameras (site, id),
    FOREIGN KEY (site, alarm) REFERENCES alarms (site, id),
    CHECK (until > shelved_at),
    CHECK (num_nonnulls(alarm, camera, pattern) > 0),
    CHECK (alarm IS NULL OR num_nonnulls(camera, pattern) = 0)
);
GRANT SELECT, INSERT, UPDATE ON shelvings TO leitstand;
CREATE INDEX shelvings_by_age ON shelvings (site, shelved_at, id);
CREATE INDEX shelvings_running ON shelvings (until) WHERE ended_at IS NULL;

-- Each verdict that was ever given; the last is the current one.
CREATE TABLE verdicts (
    site text NOT NULL,
    alarm uuid NOT NULL,
    ordinal integer NOT NULL,
    verdict text NOT NULL CHECK (verdict IN ('confirmed', 'dismissed')),
    dismissal_reason text,
    remark uuid REFERENCES remarks (id),
    judged_by uuid NOT NULL,
    judged_at timestamptz NOT NULL,
    change bigint NOT NULL,
    PRIMARY KEY (site, alarm, ordinal),
    FOREIGN KEY (site, alarm) REFERENCES alarms (site, id),
    CHECK ((verdict = 'dismissed') = (dismissal_reason IS NOT NULL))
);
GRANT SELECT, INSERT ON verdicts TO leitstand;

-- A function with a row as its argument forbids new columns with defaults (PostgreSQL 15.20).
DROP FUNCTION alarm_document(alarms);

ALTER TABLE alarms
    -- NULL: the site had no rule for the pattern; the product's defaults raised it.
    ADD rule_version integer,
    ADD overdue_at timestamptz,
    ADD overdue boolean NOT NULL DEFAULT false,
    -- The id of the group's first alarm: alarms of one area and mode raised within 30 s.
    ADD alarm_group uuid,
    -- When it rang at the positions; NULL: late, shelved, or not production.
    ADD annunciated_at timestamptz,
    ADD position text,
    ADD assigned_by uuid,
    ADD assigned_at timestamptz,
    ADD shelving uuid,
    ADD shelved_until timestamptz,
    ADD chattering boolean NOT NULL DEFAULT false,
    ADD stale boolean NOT NULL DEFAULT false,
    -- Rang while a position that watches its area had more alarms than a person can handle.
    ADD flood boolean NOT NULL DEFAULT false,
    ADD CHECK ((position IS NULL) = (assigned_at IS NULL)),
    ADD CHECK ((shelving IS NULL) = (shelved_until IS NULL));

CREATE INDEX alarms_by_area ON alarms (area, operating_mode, raised_at);
CREATE INDEX alarms_by_annunciation ON alarms (site, annunciated_at)
    WHERE annunciated_at IS NOT NULL;
CREATE INDEX alarms_to_escalate ON alarms (overdue_at)
    WHERE overdue_at IS NOT NULL AND NOT overdue AND handling = 'new';
CREATE INDEX alarms_shelved ON alarms (shelving) WHERE shelving IS NOT NULL;

CREATE OR REPLACE FUNCTION alarm_document(alarm alarms) RETURNS json
LANGUAGE sql STABLE
RETURN json_build_object(
    'id', alarm.id,
    'site', alarm.site,
    'area', alarm.area,
    'camera', alarm.camera,
    'pattern', alarm.pattern,
    'operating_mode', alarm.operating_mode,
    'model', nullif(alarm.model, ''),
    'rule_version', alarm.rule_version,
    'group', alarm.alarm_group,
    'condition', alarm.condition,
    'handling', alarm.handling,
    'suppression', CASE WHEN alarm.shelving IS NULL THEN 'none' ELSE 'shelved' END,
    'shelved_until', rfc3339(alarm.shelved_until),
    'verdict', alarm.verdict,
    'dismissal_reason', alarm.dismissal_reason,
    'priority', alarm.priority,
    'raised_at', rfc3339(alarm.raised_at),
    'received_at', rfc3339(alarm.received_at),
    'annunciated_at', rfc3339(alarm.annunciated_at),
    'last_detection_at', rfc3339(alarm.last_detection_at),
    'cleared_at', rfc3339(alarm.cleared_at),
    'detection_count', alarm.detection_count,
    'max_confidence', alarm.max_confidence,
    'late', alarm.late,
    'overdue', alarm.overdue,
    'chattering', alarm.chattering,
    'stale', alarm.stale,
    'flood', alarm.flood,
    'position', alarm.position,
    'assigned_at', rfc3339(alarm.assigned_at),
    'acknowledged_by',
        CASE WHEN alarm.acknowledged_by IS NOT NULL
            THEN json_build_object('token', alarm.acknowledged_by) END,
    'acknowledged_at', rfc3339(alarm.acknowledged_at),
    'closed_at', rfc3339(alarm.closed_at));
