-- What a site sets for itself: how long it keeps what was recorded, who watches what and when,
-- when cameras run and in what earnest, and when somebody ordered them off.

-- A weekly schedule is JSON such as [{"days": ["mon", "fri"], "from": "16:00", "to": "02:00"}] in
-- the site's local time. `to` not after `from` means the next day; 24:00 ends a day.

-- The instant of a local time; of two, when the clocks are put back, the first. A time that the
-- clocks skip is read as if they had not been put forward.
CREATE FUNCTION first_instant(local timestamp, zone text) RETURNS timestamptz
LANGUAGE sql STABLE PARALLEL SAFE
RETURN (
    -- PostgreSQL takes the second of two. The first is as much earlier as the clocks are put back.
    SELECT CASE WHEN earlier AT TIME ZONE zone = local THEN earlier ELSE later END
    FROM (SELECT local AT TIME ZONE zone AS later) AS read
    CROSS JOIN LATERAL (
        SELECT later - (
            ((later - interval '3 hours') AT TIME ZONE zone + interval '3 hours')
            - (later AT TIME ZONE zone)) AS earlier
    ) AS before);

-- The spans of the schedule that begin on these local days, unclipped; they may overlap.
-- Around a change of clocks they are as much longer or shorter as the night is. One that begins in
-- the hour that the clocks skip and would end before it begins is none.
CREATE FUNCTION schedule_spans(schedule json, zone text, first date, last date)
RETURNS TABLE (starts_at timestamptz, ends_at timestamptz)
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT span.starts_at, span.ends_at
    FROM (
        SELECT entry -> 'days' AS days, (entry ->> 'from')::time AS start,
            (entry ->> 'to')::time AS finish
        FROM json_array_elements(schedule) AS entry
    ) AS entries
    CROSS JOIN LATERAL (
        SELECT first + number AS day FROM generate_series(0, last - first) AS number
    ) AS dates
    CROSS JOIN LATERAL (
        SELECT first_instant(day + start, zone) AS starts_at,
            ((day + CASE WHEN finish <= start THEN 1 ELSE 0 END) + finish) AT TIME ZONE zone
                AS ends_at
    ) AS span
    WHERE span.starts_at < span.ends_at
        AND (ARRAY['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'])[extract(isodow FROM day)]
            IN (SELECT json_array_elements_text(days));
END;

-- Whether the schedule holds at an instant. None: always.
CREATE FUNCTION schedule_covers(schedule json, zone text, at timestamptz) RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE
RETURN schedule IS NULL OR EXISTS (
    SELECT FROM schedule_spans(
        schedule, zone, (at AT TIME ZONE zone)::date - 1, (at AT TIME ZONE zone)::date) AS span
    WHERE at >= span.starts_at AND at < span.ends_at);

-- When the schedule holds within [lower, upper): in order, never touching. None: all the time.
CREATE FUNCTION schedule_intervals(
    schedule json, zone text, lower timestamptz, upper timestamptz)
RETURNS TABLE (starts_at timestamptz, ends_at timestamptz)
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT pg_catalog.lower(piece), pg_catalog.upper(piece)
    FROM (
        SELECT unnest(range_agg(
            tstzrange(greatest(span.starts_at, lower), least(span.ends_at, upper)))) AS piece
        FROM (
            SELECT spans.starts_at, spans.ends_at
            FROM schedule_spans(
                schedule, zone, (lower AT TIME ZONE zone)::date - 1,
                (upper AT TIME ZONE zone)::date) AS spans
            WHERE schedule IS NOT NULL
            UNION ALL
            SELECT lower, upper WHERE schedule IS NULL
        ) AS span
        WHERE span.starts_at < upper AND span.ends_at > lower
    ) AS pieces
    WHERE NOT isempty(piece)
    ORDER BY 1;
END;

-- They are created anew below: no column with a default is added to a row type that a function has.
DROP FUNCTION site_document(sites);
DROP FUNCTION camera_document(cameras);

ALTER TABLE sites
    ADD retention_hours integer NOT NULL DEFAULT 72 CHECK (retention_hours BETWEEN 1 AND 8760),
    -- The grounds on which evidence may be held; empty: any text.
    ADD hold_grounds text[] NOT NULL DEFAULT '{}',
    -- Whether a hold is released by another person than the one who asks for it.
    ADD four_eyes_release boolean NOT NULL DEFAULT false,
    -- Whether whoever looks at a single alarm, incident or live picture has to say why.
    ADD access_reason text NOT NULL DEFAULT 'none'
        CHECK (access_reason IN ('none', 'request', 'shift')),
    ADD access_log_days integer NOT NULL DEFAULT 365 CHECK (access_log_days BETWEEN 1 AND 3650);

-- From when until when a pattern is permitted, half-open; NULL: without limit.
ALTER TABLE site_patterns
    ADD valid_from timestamptz,
    ADD valid_to timestamptz,
    ADD CHECK (valid_to > valid_from);

-- Where observers sit: what is annunciated, and how much, is counted per position.
CREATE TABLE observer_positions (
    site text NOT NULL REFERENCES sites,
    name text NOT NULL,
    ordinal integer NOT NULL,
    -- NULL: all areas of the site.
    areas uuid[],
    -- NULL: always.
    staffed json,
    PRIMARY KEY (site, name)
);
GRANT SELECT, INSERT, UPDATE, DELETE ON observer_positions TO leitstand;

-- A reference for each area of the list.
CREATE FUNCTION check_position_areas() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (
        SELECT FROM unnest(NEW.areas) AS named (area)
        WHERE NOT EXISTS (SELECT FROM areas WHERE site = NEW.site AND id = named.area)
    ) THEN
        RAISE foreign_key_violation USING
            MESSAGE = format('position %s names an area that the site does not have', NEW.name),
            TABLE = 'observer_positions', CONSTRAINT = 'observer_positions_areas_fkey';
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER areas_exist BEFORE INSERT OR UPDATE ON observer_positions
    FOR EACH ROW EXECUTE FUNCTION check_position_areas();

ALTER TABLE cameras
    -- NULL: the site's.
    ADD operating_mode text,
    -- A weekly schedule; NULL: always.
    ADD operating_hours json,
    ADD installed_at timestamptz,
    -- From then on it is history, and its key is free for its successor.
    ADD removed_at timestamptz,
    ADD CONSTRAINT cameras_life_check CHECK (removed_at > installed_at);
UPDATE cameras SET installed_at = created_at;
ALTER TABLE cameras ALTER installed_at SET NOT NULL;

-- Two cameras of one key never live at the same time. Ranges stand for equality, so that this
-- needs no extension; that two keys share 64 bits of hash is as good as impossible.
CREATE FUNCTION hash_range(text text) RETURNS int8range
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN int8range(hashtextextended(text, 0), hashtextextended(text, 0), '[]');
ALTER TABLE cameras
    DROP CONSTRAINT cameras_site_key_key,
    ADD CONSTRAINT cameras_site_key_key EXCLUDE USING gist (
        hash_range(site || '/' || key) WITH &&, tstzrange(installed_at, removed_at) WITH &&)
        WHERE (key IS NOT NULL);
-- Ingest looks for all cameras that ever had a key.
CREATE INDEX cameras_by_key ON cameras (site, key);

-- Of two rows put in at once that exclude each other, each may wait for the other to end. Counted
-- before instead of after, the second waits before it is there.
DROP TRIGGER configuration_changed ON cameras;
CREATE TRIGGER configuration_changed BEFORE INSERT OR UPDATE ON cameras
    FOR EACH STATEMENT EXECUTE FUNCTION count_configuration_change();

-- What held when: a change of the configuration holds from then on, and what is told of the time
-- before stays as it was. What was entered first holds for all the time before it, too. When a
-- camera was installed or removed is a time by itself, which a correction corrects.
--
-- Triggers write these rows with the owner's rights, in the transaction of the change; the runtime
-- role reads them. A period is half-open; without an end it holds now.

CREATE TABLE camera_periods (
    site text NOT NULL,
    camera uuid NOT NULL,
    valid_from timestamptz NOT NULL,
    valid_to timestamptz,
    area uuid NOT NULL,
    -- A weekly schedule; NULL: always.
    operating_hours json,
    PRIMARY KEY (site, camera, valid_from),
    FOREIGN KEY (site, camera) REFERENCES cameras (site, id),
    FOREIGN KEY (site, area) REFERENCES areas (site, id),
    CHECK (valid_to > valid_from)
);
GRANT SELECT ON camera_periods TO leitstand;
CREATE UNIQUE INDEX camera_periods_now ON camera_periods (camera) WHERE valid_to IS NULL;
INSERT INTO camera_periods (site, camera, valid_from, area, operating_hours)
SELECT site, id, '-infinity', area, operating_hours FROM cameras;

CREATE FUNCTION begin_camera_period() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    changed_at timestamptz;
BEGIN
    UPDATE camera_periods p
    -- The clock may be set back.
    SET valid_to = greatest(clock_timestamp(), p.valid_from + interval '1 microsecond')
    WHERE p.camera = NEW.id AND p.valid_to IS NULL
    RETURNING p.valid_to INTO changed_at;
    INSERT INTO camera_periods (site, camera, valid_from, area, operating_hours)
    VALUES (
        NEW.site, NEW.id, coalesce(changed_at, '-infinity'), NEW.area, NEW.operating_hours);
    RETURN NULL;
END
$$;
REVOKE EXECUTE ON FUNCTION begin_camera_period() FROM PUBLIC;
CREATE TRIGGER camera_period_begun AFTER INSERT ON cameras
    FOR EACH ROW EXECUTE FUNCTION begin_camera_period();
CREATE TRIGGER camera_period_changed AFTER UPDATE OF area, operating_hours ON cameras
    FOR EACH ROW
    -- json has no equality.
    WHEN ((OLD.area, OLD.operating_hours::text) IS DISTINCT FROM
        (NEW.area, NEW.operating_hours::text))
    EXECUTE FUNCTION begin_camera_period();

CREATE TABLE area_periods (
    site text NOT NULL,
    area uuid NOT NULL,
    valid_from timestamptz NOT NULL,
    valid_to timestamptz,
    monitored boolean NOT NULL,
    PRIMARY KEY (site, area, valid_from),
    FOREIGN KEY (site, area) REFERENCES areas (site, id),
    CHECK (valid_to > valid_from)
);
GRANT SELECT ON area_periods TO leitstand;
CREATE UNIQUE INDEX area_periods_now ON area_periods (area) WHERE valid_to IS NULL;
INSERT INTO area_periods (site, area, valid_from, monitored)
SELECT site, id, '-infinity', monitored FROM areas;

CREATE FUNCTION begin_area_period() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    changed_at timestamptz;
BEGIN
    UPDATE area_periods p
    SET valid_to = greatest(clock_timestamp(), p.valid_from + interval '1 microsecond')
    WHERE p.area = NEW.id AND p.valid_to IS NULL
    RETURNING p.valid_to INTO changed_at;
    INSERT INTO area_periods (site, area, valid_from, monitored)
    VALUES (NEW.site, NEW.id, coalesce(changed_at, '-infinity'), NEW.monitored);
    RETURN NULL;
END
$$;
REVOKE EXECUTE ON FUNCTION begin_area_period() FROM PUBLIC;
CREATE TRIGGER area_period_begun AFTER INSERT ON areas
    FOR EACH ROW EXECUTE FUNCTION begin_area_period();
CREATE TRIGGER area_period_changed AFTER UPDATE OF monitored ON areas
    FOR EACH ROW WHEN (OLD.monitored <> NEW.monitored) EXECUTE FUNCTION begin_area_period();

-- Whether an area was monitored at an instant; NULL: there is no such area.
CREATE FUNCTION was_monitored(site text, area uuid, at timestamptz) RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE
RETURN (
    SELECT p.monitored FROM area_periods p
    WHERE p.site = was_monitored.site AND p.area = was_monitored.area
        AND tstzrange(p.valid_from, p.valid_to) @> at);

-- What stood in a site's list of permitted patterns from when to when, and what validity it gave
-- there. A pattern was permitted while both held.
CREATE TABLE pattern_periods (
    site text NOT NULL REFERENCES sites,
    pattern text NOT NULL,
    listed_from timestamptz NOT NULL,
    listed_to timestamptz,
    -- As of site_patterns.
    valid_from timestamptz,
    valid_to timestamptz,
    PRIMARY KEY (site, pattern, listed_from),
    CHECK (listed_to > listed_from)
);
GRANT SELECT ON pattern_periods TO leitstand;
CREATE UNIQUE INDEX pattern_periods_now ON pattern_periods (site, pattern)
    WHERE listed_to IS NULL;
INSERT INTO pattern_periods (site, pattern, listed_from, valid_from, valid_to)
SELECT site, pattern, '-infinity', valid_from, valid_to FROM site_patterns;

CREATE FUNCTION begin_pattern_period() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    changed_at timestamptz;
BEGIN
    IF TG_OP <> 'INSERT' THEN
        UPDATE pattern_periods p
        SET listed_to = greatest(clock_timestamp(), p.listed_from + interval '1 microsecond')
        WHERE p.site = OLD.site AND p.pattern = OLD.pattern AND p.listed_to IS NULL
        RETURNING p.listed_to INTO changed_at;
    -- The list that a site is created with holds for the time before, too.
    ELSIF EXISTS (SELECT FROM sites s WHERE s.id = NEW.site AND s.revision = 1) THEN
        changed_at := '-infinity';
    ELSE
        changed_at := greatest(clock_timestamp(), (
            SELECT max(p.listed_to) FROM pattern_periods p
            WHERE p.site = NEW.site AND p.pattern = NEW.pattern));
    END IF;
    IF TG_OP <> 'DELETE' THEN
        INSERT INTO pattern_periods (site, pattern, listed_from, valid_from, valid_to)
        VALUES (NEW.site, NEW.pattern, changed_at, NEW.valid_from, NEW.valid_to);
    END IF;
    RETURN NULL;
END
$$;
REVOKE EXECUTE ON FUNCTION begin_pattern_period() FROM PUBLIC;
CREATE TRIGGER pattern_period_begun AFTER INSERT OR DELETE ON site_patterns
    FOR EACH ROW EXECUTE FUNCTION begin_pattern_period();
CREATE TRIGGER pattern_period_changed AFTER UPDATE OF valid_from, valid_to ON site_patterns
    FOR EACH ROW
    WHEN ((OLD.valid_from, OLD.valid_to) IS DISTINCT FROM (NEW.valid_from, NEW.valid_to))
    EXECUTE FUNCTION begin_pattern_period();

-- Whether a site permitted a pattern at an instant.
CREATE FUNCTION was_permitted(site text, pattern text, at timestamptz) RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE
RETURN EXISTS (
    SELECT FROM pattern_periods p
    WHERE p.site = was_permitted.site AND p.pattern = was_permitted.pattern
        AND tstzrange(p.listed_from, p.listed_to) @> at
        AND tstzrange(p.valid_from, p.valid_to) @> at);

-- A time in which a camera, or the whole site, works in another mode, whatever the nodes say: a
-- staged scene, an exercise.
CREATE TABLE mode_windows (
    site text NOT NULL REFERENCES sites,
    id uuid NOT NULL UNIQUE,
    -- NULL: the whole site.
    camera uuid,
    operating_mode text NOT NULL,
    starts_at timestamptz NOT NULL,
    -- When it began, if it was cancelled before.
    ends_at timestamptz NOT NULL,
    -- When somebody ended or cancelled it.
    ended_at timestamptz,
    -- The note, which a person wrote; its row follows with the journal's.
    remark uuid REFERENCES remarks (id) DEFERRABLE INITIALLY DEFERRED,
    created_at timestamptz NOT NULL,
    revision bigint NOT NULL DEFAULT 1,
    PRIMARY KEY (site, id),
    FOREIGN KEY (site, camera) REFERENCES cameras (site, id),
    CHECK (ends_at >= starts_at),
    -- Of one camera, and of the site as such, only one at a time.
    CONSTRAINT mode_windows_overlap EXCLUDE USING gist (
        hash_range(site || '/' || coalesce(camera::text, '')) WITH &&,
        tstzrange(starts_at, ends_at) WITH &&)
);
GRANT SELECT, INSERT ON mode_windows TO leitstand;
GRANT UPDATE (ends_at, ended_at, revision) ON mode_windows TO leitstand;
CREATE INDEX mode_windows_by_age ON mode_windows (site, starts_at, id);
-- Ingest asks for those that are not over.
CREATE INDEX mode_windows_by_end ON mode_windows (site, ends_at);
-- Before, as of cameras.
CREATE TRIGGER configuration_changed BEFORE INSERT OR UPDATE ON mode_windows
    FOR EACH STATEMENT EXECUTE FUNCTION count_configuration_change();

-- A time in which somebody ordered a camera, an area or the whole site not to be watched.
CREATE TABLE interruptions (
    site text NOT NULL REFERENCES sites,
    id uuid NOT NULL UNIQUE,
    -- Neither: the whole site.
    camera uuid,
    area uuid,
    -- The official ground, such as an assembly; no free text about persons.
    ground text NOT NULL,
    starts_at timestamptz NOT NULL,
    -- NULL: open. When it began, if it was cancelled before.
    ends_at timestamptz,
    -- When somebody ended or cancelled it.
    ended_at timestamptz,
    created_at timestamptz NOT NULL,
    revision bigint NOT NULL DEFAULT 1,
    PRIMARY KEY (site, id),
    FOREIGN KEY (site, camera) REFERENCES cameras (site, id),
    FOREIGN KEY (site, area) REFERENCES areas (site, id),
    CHECK (num_nonnulls(camera, area) <= 1),
    CHECK (ends_at >= starts_at)
);
GRANT SELECT, INSERT ON interruptions TO leitstand;
GRANT UPDATE (ends_at, ended_at, revision) ON interruptions TO leitstand;
CREATE INDEX interruptions_by_age ON interruptions (site, starts_at, id);

-- Whether a site may no longer take another time zone, since days and months of what it recorded
-- are counted in this one. Waits for those who are recording, and keeps them waiting until the
-- zone has changed: hence the owner's rights.
CREATE FUNCTION time_zone_is_fixed(site text, zone text) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF EXISTS (
        SELECT FROM sites WHERE id = time_zone_is_fixed.site AND time_zone = zone
    ) THEN
        RETURN false;
    END IF;
    LOCK TABLE detections IN SHARE MODE;
    RETURN EXISTS (SELECT FROM detections d WHERE d.site = time_zone_is_fixed.site)
        -- Retention leaves these.
        OR EXISTS (SELECT FROM alarms a WHERE a.site = time_zone_is_fixed.site)
        OR EXISTS (SELECT FROM incidents i WHERE i.site = time_zone_is_fixed.site)
        -- What cameras were meant to do was read from schedules in this zone.
        OR EXISTS (
            SELECT FROM analysis_intervals i WHERE i.site = time_zone_is_fixed.site)
        OR EXISTS (SELECT FROM coverage_ledger l WHERE l.site = time_zone_is_fixed.site)
        -- One that is under way sees by itself that the zone has changed.
        OR EXISTS (SELECT FROM imports i WHERE i.site = time_zone_is_fixed.site);
END
$$;

CREATE FUNCTION site_document(site sites) RETURNS json
LANGUAGE sql STABLE
RETURN json_build_object(
    'id', site.id,
    'name', site.name,
    'time_zone', site.time_zone,
    'operating_mode', site.operating_mode,
    'patterns', coalesce(
        (SELECT json_agg(
                json_build_object(
                    'pattern', pattern, 'legal_basis', legal_basis,
                    'valid_from', rfc3339(valid_from), 'valid_to', rfc3339(valid_to))
                ORDER BY ordinal)
            FROM site_patterns WHERE site_patterns.site = (site_document.site).id),
        '[]'),
    'positions', coalesce(
        (SELECT json_agg(
                json_build_object('name', name, 'areas', to_json(areas), 'staffed', staffed)
                ORDER BY ordinal)
            FROM observer_positions WHERE observer_positions.site = (site_document.site).id),
        '[]'),
    'retention_hours', site.retention_hours,
    'hold_grounds', to_json(site.hold_grounds),
    'four_eyes_release', site.four_eyes_release,
    'access_reason', site.access_reason,
    'access_log_days', site.access_log_days,
    'created_at', rfc3339(site.created_at));

-- Without the live address: who reads that is logged, so lists, journal and stream do not show it.
CREATE FUNCTION camera_document(camera cameras) RETURNS json
LANGUAGE sql STABLE
RETURN json_build_object(
    'id', camera.id,
    'site', camera.site,
    'area', camera.area,
    'name', camera.name,
    'key', camera.key,
    'latitude', camera.latitude,
    'longitude', camera.longitude,
    'operating_mode', camera.operating_mode,
    'operating_hours', camera.operating_hours,
    'installed_at', rfc3339(camera.installed_at),
    'removed_at', rfc3339(camera.removed_at),
    'created_at', rfc3339(camera.created_at));

CREATE FUNCTION camera_with_live_url(camera cameras) RETURNS json
LANGUAGE sql STABLE
RETURN (camera_document(camera)::jsonb || jsonb_build_object('live_url', camera.live_url))::json;

-- The note appears by its id: the journal keeps this document, and a note must stay erasable.
-- Readers get the text from with_remarks.
CREATE FUNCTION mode_window_document(mode_window mode_windows) RETURNS json
LANGUAGE sql STABLE
RETURN json_build_object(
    'id', mode_window.id,
    'site', mode_window.site,
    'camera', mode_window.camera,
    'operating_mode', mode_window.operating_mode,
    'from', rfc3339(mode_window.starts_at),
    'to', rfc3339(mode_window.ends_at),
    'note',
        CASE WHEN mode_window.remark IS NOT NULL
            THEN json_build_object('remark', mode_window.remark) END,
    'ended_at', rfc3339(mode_window.ended_at),
    'created_at', rfc3339(mode_window.created_at));

CREATE FUNCTION interruption_document(interruption interruptions) RETURNS json
LANGUAGE sql STABLE
RETURN json_build_object(
    'id', interruption.id,
    'site', interruption.site,
    'camera', interruption.camera,
    'area', interruption.area,
    'ground', interruption.ground,
    'from', rfc3339(interruption.starts_at),
    'to', rfc3339(interruption.ends_at),
    'ended_at', rfc3339(interruption.ended_at),
    'created_at', rfc3339(interruption.created_at));
