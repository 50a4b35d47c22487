-- What must be kept beyond the retention period, the deletion of all else, and what is given away
-- for training.
--
-- A hold covers what one camera saw within a range of time. Covered detections are copied to
-- held_detections, so that one hold does not keep a whole day of a whole state. The database itself
-- refuses to delete what a hold covers as long as no copy of it exists, and the copies altogether.

-- Locks, in the order in which they are taken: 7236003 lets one retention run at a time;
-- 7236004 parts retention (exclusive) from the making and copying of holds (shared); with them held
-- retention counts detections (7236012, 0012), which waits for positions under way (7236001).

CREATE TABLE evidence_holds (
    site text NOT NULL REFERENCES sites,
    id uuid NOT NULL UNIQUE,
    camera uuid NOT NULL,
    starts_at timestamptz NOT NULL,
    ends_at timestamptz NOT NULL,
    -- NULL: detections of every pattern.
    pattern text,
    -- One of the site's list, or training; else a person's words, which can be erased.
    ground text,
    free_ground uuid REFERENCES remarks (id),
    -- Of holds that labels for training make.
    legal_basis text,
    -- Both may name a person: texts that can be erased.
    case_number uuid REFERENCES remarks (id),
    holder uuid REFERENCES remarks (id),
    review_at timestamptz,
    incident uuid,
    -- Up to when what it covers has been copied; what arrives after it was made is copied at once.
    copied_to timestamptz NOT NULL,
    -- Set when the hold is made: from when on nothing in its range had been deleted before. NULL:
    -- all of it had been.
    complete boolean NOT NULL DEFAULT true,
    complete_from timestamptz,
    created_at timestamptz NOT NULL,
    created_by uuid NOT NULL,
    release_requested_at timestamptz,
    release_requested_by uuid,
    released_at timestamptz,
    released_by uuid,
    -- Whether retention has looked for copies that nothing holds any more.
    swept boolean NOT NULL DEFAULT false,
    revision bigint NOT NULL DEFAULT 1,
    PRIMARY KEY (site, id),
    FOREIGN KEY (site, camera) REFERENCES cameras (site, id),
    FOREIGN KEY (site, incident) REFERENCES incidents (site, id),
    CHECK (ends_at > starts_at),
    CHECK (num_nonnulls(ground, free_ground) = 1),
    CHECK ((release_requested_at IS NULL) = (release_requested_by IS NULL)),
    CHECK ((released_at IS NULL) = (released_by IS NULL)),
    CHECK (released_at IS NOT NULL OR NOT swept)
);
GRANT SELECT, INSERT ON evidence_holds TO leitstand;
GRANT UPDATE (
    review_at, release_requested_at, release_requested_by, released_at, released_by, revision)
    ON evidence_holds TO leitstand;

-- Lists are newest first and page by (created_at, id).
CREATE INDEX evidence_holds_by_age ON evidence_holds (site, created_at, id);
CREATE INDEX evidence_holds_by_camera ON evidence_holds (camera, created_at, id);
CREATE INDEX evidence_holds_by_ground ON evidence_holds (site, ground, created_at, id);
CREATE INDEX evidence_holds_by_free_ground ON evidence_holds (free_ground)
    WHERE free_ground IS NOT NULL;
CREATE INDEX evidence_holds_by_case ON evidence_holds (case_number)
    WHERE case_number IS NOT NULL;
CREATE INDEX evidence_holds_due ON evidence_holds (site, review_at)
    WHERE released_at IS NULL AND review_at IS NOT NULL;
-- Ingest and the guards ask which running holds cover an instant of a camera; of most instants,
-- which are new, no hold ends later.
CREATE INDEX evidence_holds_running ON evidence_holds (camera, ends_at)
    WHERE released_at IS NULL;
CREATE INDEX evidence_holds_by_end ON evidence_holds (ends_at) WHERE released_at IS NULL;
CREATE INDEX evidence_holds_to_copy ON evidence_holds (id)
    WHERE released_at IS NULL AND copied_to < ends_at;
CREATE INDEX evidence_holds_to_sweep ON evidence_holds (site, released_at)
    WHERE released_at IS NOT NULL AND NOT swept;

-- Finds a hold by its case number or its free ground.
CREATE INDEX remarks_by_text ON remarks USING hash (text);

-- Copies of what holds cover; they outlive the detections themselves.
CREATE TABLE held_detections (
    LIKE detections INCLUDING DEFAULTS,
    PRIMARY KEY (site, occurred_at, id)
);
GRANT SELECT ON held_detections TO leitstand;
CREATE INDEX held_detections_by_camera ON held_detections (camera, occurred_at, id);

-- Which detections came after their retention period and lost their content: a hold made later is not
-- complete where it covers one.
CREATE INDEX detections_counted_only ON detections (camera, occurred_at) WHERE counted_only;

-- What retention keeps of a deleted detection: enough to know it again when a node resends it. About
-- 190 bytes each with its index; a million detections a day make 70 GB in a year.
CREATE TABLE detection_keys (
    site text NOT NULL,
    id uuid NOT NULL,
    occurred_at timestamptz NOT NULL,
    content_hash bytea NOT NULL,
    alarm uuid,
    counted_only boolean NOT NULL,
    PRIMARY KEY (site, occurred_at, id)
);
GRANT SELECT ON detection_keys TO leitstand;

-- Up to when retention has deleted what a site's detections were.
CREATE TABLE retention_marks (
    site text PRIMARY KEY REFERENCES sites,
    deleted_before timestamptz NOT NULL
);
GRANT SELECT ON retention_marks TO leitstand;

-- Partitions that are no part of detections any more, until their rows are counted, their keys kept
-- and they are dropped.
CREATE TABLE retiring_partitions (
    name text PRIMARY KEY,
    ends_at timestamptz NOT NULL,
    -- Of the last change that can have written to it.
    last_position bigint NOT NULL
);

-- Whether a running hold covers a detection.
CREATE FUNCTION is_held(camera uuid, pattern text, occurred_at timestamptz) RETURNS boolean
LANGUAGE sql STABLE
RETURN EXISTS (
    SELECT FROM evidence_holds h
    WHERE h.camera = is_held.camera AND h.released_at IS NULL
        AND h.starts_at <= is_held.occurred_at AND h.ends_at > is_held.occurred_at
        AND (h.pattern IS NULL OR h.pattern = is_held.pattern));

-- MARK: Guards, which bind the owner too

-- A detection that a hold covers may go only once its copy exists, and may never be altered.
CREATE FUNCTION guard_detection() RETURNS trigger
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    IF is_held(OLD.camera, OLD.pattern, OLD.occurred_at)
        AND (TG_OP = 'UPDATE' OR NOT EXISTS (
            SELECT FROM held_detections k
            WHERE k.site = OLD.site AND k.occurred_at = OLD.occurred_at AND k.id = OLD.id))
    THEN
        RAISE 'an evidence hold covers detection % of %', OLD.id, OLD.site
            USING ERRCODE = 'restrict_violation';
    END IF;
    IF TG_OP = 'DELETE' THEN
        RETURN OLD;
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER guarded BEFORE UPDATE OR DELETE ON detections
    FOR EACH ROW EXECUTE FUNCTION guard_detection();

CREATE FUNCTION guard_held_detection() RETURNS trigger
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    IF is_held(OLD.camera, OLD.pattern, OLD.occurred_at) THEN
        RAISE 'an evidence hold covers detection % of %', OLD.id, OLD.site
            USING ERRCODE = 'restrict_violation';
    END IF;
    IF TG_OP = 'DELETE' THEN
        RETURN OLD;
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER guarded BEFORE UPDATE OR DELETE ON held_detections
    FOR EACH ROW EXECUTE FUNCTION guard_held_detection();

-- A truncation asks no row: none is allowed while a hold covers anything of the table.
CREATE FUNCTION guard_truncation() RETURNS trigger
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
    covers boolean;
BEGIN
    EXECUTE format(
        'SELECT EXISTS (
            SELECT FROM evidence_holds h
            JOIN %s d ON d.camera = h.camera
                AND d.occurred_at >= h.starts_at AND d.occurred_at < h.ends_at
                AND (h.pattern IS NULL OR d.pattern = h.pattern)
            WHERE h.released_at IS NULL)',
        TG_RELID::regclass)
    INTO covers;
    IF covers THEN
        RAISE 'an evidence hold covers detections of %', TG_TABLE_NAME
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER truncation_guarded BEFORE TRUNCATE ON detections
    FOR EACH STATEMENT EXECUTE FUNCTION guard_truncation();
CREATE TRIGGER truncation_guarded BEFORE TRUNCATE ON held_detections
    FOR EACH STATEMENT EXECUTE FUNCTION guard_truncation();

-- A partition does not inherit its table's guard against truncation: each gets one of its own.
CREATE FUNCTION guard_partitions() RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    partition regclass;
BEGIN
    FOR partition IN
        SELECT inhrelid::regclass FROM pg_inherits
        WHERE inhparent = 'detections'::regclass AND NOT EXISTS (
            SELECT FROM pg_trigger WHERE tgrelid = inhrelid AND tgname = 'truncation_guarded')
    LOOP
        EXECUTE format(
            'CREATE TRIGGER truncation_guarded BEFORE TRUNCATE ON %s
                FOR EACH STATEMENT EXECUTE FUNCTION guard_truncation()', partition);
    END LOOP;
END
$$;
DO $$ BEGIN PERFORM guard_partitions(); END $$;

-- As before; what is new is the guard of each partition.
CREATE OR REPLACE FUNCTION ensure_detection_partitions(first date, last date) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    day date;
    name text;
    lower_bound timestamptz;
    upper_bound timestamptz;
BEGIN
    -- Several instances do this at the same time.
    PERFORM pg_advisory_xact_lock(7236002);
    FOR day IN SELECT generate_series(first, last, interval '1 day')::date LOOP
        name := 'detections_' || to_char(day, 'YYYYMMDD');
        CONTINUE WHEN to_regclass(name) IS NOT NULL;
        lower_bound := day::timestamp AT TIME ZONE 'UTC';
        upper_bound := (day + 1)::timestamp AT TIME ZONE 'UTC';
        -- Attaching needs the default partition for itself. A group that has read it and is about
        -- to write must not wait for us meanwhile, so wait here until no such group is left.
        LOCK TABLE ONLY detections IN ACCESS EXCLUSIVE MODE;
        -- What a hold covers moves only once it is copied.
        PERFORM copy_remaining('detections_default', NULL, upper_bound);
        EXECUTE format('CREATE TABLE %I (LIKE detections INCLUDING DEFAULTS)', name);
        EXECUTE format(
            'WITH moved AS (DELETE FROM detections_default
                WHERE occurred_at >= %L AND occurred_at < %L RETURNING *)
             INSERT INTO %I SELECT * FROM moved',
            lower_bound, upper_bound, name);
        EXECUTE format(
            'ALTER TABLE detections ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)',
            name, lower_bound, upper_bound);
    END LOOP;
    PERFORM guard_partitions();
END
$$;

-- A hold that could be deleted or moved would hold nothing: it ends by its release, once, and by two
-- persons where the site wants that.
CREATE FUNCTION guard_hold() RETURNS trigger
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
    changeable text[] := '{review_at, release_requested_at, release_requested_by, released_at,
        released_by, copied_to, swept, revision}';
BEGIN
    IF TG_OP <> 'UPDATE' THEN
        RAISE 'an evidence hold ends by its release alone' USING ERRCODE = 'restrict_violation';
    END IF;
    IF to_jsonb(NEW) - changeable <> to_jsonb(OLD) - changeable
        OR OLD.released_at IS NOT NULL
            AND (NEW.released_at, NEW.released_by)
                IS DISTINCT FROM (OLD.released_at, OLD.released_by)
    THEN
        RAISE 'an evidence hold ends by its release alone' USING ERRCODE = 'restrict_violation';
    END IF;
    IF OLD.released_at IS NULL AND NEW.released_at IS NOT NULL
        AND (SELECT s.four_eyes_release FROM sites s WHERE s.id = NEW.site)
        AND (OLD.release_requested_by IS NULL
            OR NEW.released_by IN (NEW.created_by, OLD.release_requested_by))
    THEN
        RAISE 'it takes two persons to release an evidence hold of %', NEW.site
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER guarded BEFORE UPDATE OR DELETE ON evidence_holds
    FOR EACH ROW EXECUTE FUNCTION guard_hold();
CREATE TRIGGER truncation_guarded BEFORE TRUNCATE ON evidence_holds
    FOR EACH STATEMENT EXECUTE FUNCTION guard_hold();

-- Not even a session that replays another server's changes passes by them.
ALTER TABLE held_detections ENABLE ALWAYS TRIGGER guarded;
ALTER TABLE held_detections ENABLE ALWAYS TRIGGER truncation_guarded;
ALTER TABLE evidence_holds ENABLE ALWAYS TRIGGER guarded;
ALTER TABLE evidence_holds ENABLE ALWAYS TRIGGER truncation_guarded;

-- MARK: Copying

-- Each group of ingest begins by writing to correlation. A hold waits for those that have, and others
-- wait for it: so each detection was committed before the hold and is copied after it, or is stored
-- by a group that sees the hold and is copied at once. They wait for the hold alone, not for what it
-- has to copy.
CREATE FUNCTION prepare_holds() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM pg_advisory_xact_lock_shared(7236004);
    LOCK TABLE correlation IN SHARE MODE;
    RETURN NULL;
END
$$;
CREATE TRIGGER prepared BEFORE INSERT ON evidence_holds
    FOR EACH STATEMENT EXECUTE FUNCTION prepare_holds();

-- Nothing is copied yet. Says whether anything was lost before: by retention, or on an arrival after the
-- retention period. What other running holds have kept is complete.
CREATE FUNCTION settle_hold() RETURNS trigger
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
    lost_before timestamptz := greatest(
        (SELECT m.deleted_before FROM retention_marks m WHERE m.site = NEW.site),
        (SELECT max(d.occurred_at) + interval '1 microsecond' FROM detections d
            WHERE d.camera = NEW.camera AND d.counted_only
                AND d.occurred_at >= NEW.starts_at AND d.occurred_at < NEW.ends_at
                AND (NEW.pattern IS NULL OR d.pattern = NEW.pattern)));
BEGIN
    NEW.copied_to := NEW.starts_at;
    NEW.complete := lost_before IS NULL OR lost_before <= NEW.starts_at OR coalesce(
        tstzrange(NEW.starts_at, least(lost_before, NEW.ends_at)) <@ (
            SELECT range_agg(tstzrange(h.starts_at, h.ends_at)) FROM evidence_holds h
            WHERE h.camera = NEW.camera AND h.released_at IS NULL AND h.complete
                AND (h.pattern IS NULL OR h.pattern = NEW.pattern)
                AND h.ends_at > NEW.starts_at),
        false);
    NEW.complete_from := CASE
        WHEN NEW.complete THEN NEW.starts_at
        WHEN lost_before < NEW.ends_at THEN lost_before
    END;
    RETURN NEW;
END
$$;
CREATE TRIGGER settled BEFORE INSERT ON evidence_holds
    FOR EACH ROW EXECUTE FUNCTION settle_hold();

-- Copies the next of what a hold covers, about `rows_max` detections, and returns how many of them had
-- no copy.
CREATE FUNCTION copy_next(hold evidence_holds, rows_max integer) RETURNS bigint
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
<<copying>>
DECLARE
    copied_to timestamptz;
    source text;
    new_count bigint;
    copied bigint := 0;
BEGIN
    SELECT d.occurred_at + interval '1 microsecond' INTO copied_to FROM detections d
    WHERE d.camera = hold.camera AND d.occurred_at >= hold.copied_to
        AND d.occurred_at < hold.ends_at AND (hold.pattern IS NULL OR d.pattern = hold.pattern)
    ORDER BY d.occurred_at OFFSET rows_max - 1 LIMIT 1;
    copied_to := coalesce(copied_to, hold.ends_at);
    -- A partition that is about to be dropped is no part of detections any more.
    FOR source IN SELECT 'detections' UNION ALL SELECT p.name FROM retiring_partitions p LOOP
        EXECUTE format(
            'INSERT INTO held_detections
            SELECT d.* FROM %I d
            WHERE d.camera = $1 AND d.occurred_at >= $2 AND d.occurred_at < $3
                AND ($4 IS NULL OR d.pattern = $4)
            ON CONFLICT DO NOTHING', source)
        USING hold.camera, hold.copied_to, copied_to, hold.pattern;
        GET DIAGNOSTICS new_count = ROW_COUNT;
        copied := copied + new_count;
    END LOOP;
    UPDATE evidence_holds h SET copied_to = copying.copied_to WHERE h.id = hold.id;
    RETURN copied;
END
$$;

-- Copies a part of what running holds cover. Whoever makes a hold calls it after that until it
-- returns false: then all is held. Returns whether there is more.
CREATE FUNCTION copy_held_detections(holds uuid[]) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    -- So many take a tenth of a second. A transaction that reads detections for long would make
    -- ingest wait behind whoever adds or takes away a day of them.
    rows_max CONSTANT bigint := 5000;
    copied bigint := 0;
    hold evidence_holds;
BEGIN
    PERFORM pg_advisory_xact_lock_shared(7236004);
    FOR hold IN
        SELECT * FROM evidence_holds h
        WHERE h.id = ANY (holds) AND h.released_at IS NULL AND h.copied_to < h.ends_at
        ORDER BY h.id FOR NO KEY UPDATE
    LOOP
        copied := copied + copy_next(hold, (rows_max - copied)::integer);
        EXIT WHEN copied >= rows_max;
    END LOOP;
    RETURN EXISTS (
        SELECT FROM evidence_holds h
        WHERE h.id = ANY (holds) AND h.released_at IS NULL AND h.copied_to < h.ends_at);
END
$$;

-- Detections that arrive while a hold runs which covers them. Mostly no hold ends after the oldest of
-- them, and this costs one look into an index per statement.
CREATE FUNCTION copy_arriving_detections() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF EXISTS (
        SELECT FROM evidence_holds h
        WHERE h.released_at IS NULL AND h.ends_at > (SELECT min(occurred_at) FROM arrived))
    THEN
        INSERT INTO held_detections
        SELECT d.* FROM arrived d
        WHERE is_held(d.camera, d.pattern, d.occurred_at)
        ON CONFLICT DO NOTHING;
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER copied AFTER INSERT ON detections
    REFERENCING NEW TABLE AS arrived
    FOR EACH STATEMENT EXECUTE FUNCTION copy_arriving_detections();

-- MARK: Documents

-- A text as the journal keeps it.
CREATE FUNCTION remark_reference(remark uuid) RETURNS json
LANGUAGE sql STABLE
RETURN (
    SELECT json_build_object(
        'remark', r.id, 'hash', encode(sha256(r.salt || convert_to(r.text, 'UTF8')), 'hex'))
    FROM remarks r WHERE r.id = remark_reference.remark);

-- Who, which case and a free ground appear by remark alone, as the journal keeps this document; readers get the
-- texts from with_remarks.
CREATE FUNCTION evidence_hold_document(hold evidence_holds) RETURNS json
LANGUAGE sql STABLE
RETURN json_build_object(
    'id', hold.id,
    'site', hold.site,
    'camera', hold.camera,
    'from', rfc3339(hold.starts_at),
    'to', rfc3339(hold.ends_at),
    'pattern', hold.pattern,
    'ground', coalesce(to_json(hold.ground), remark_reference(hold.free_ground)),
    'legal_basis', hold.legal_basis,
    'case_number', remark_reference(hold.case_number),
    'holder', remark_reference(hold.holder),
    'review_at', rfc3339(hold.review_at),
    'incident', hold.incident,
    'complete', hold.complete,
    'complete_from', rfc3339(hold.complete_from),
    'created_at', rfc3339(hold.created_at),
    'created_by', json_build_object('token', hold.created_by),
    'release_requested_at', rfc3339(hold.release_requested_at),
    'release_requested_by', CASE WHEN hold.release_requested_by IS NOT NULL
        THEN json_build_object('token', hold.release_requested_by) END,
    'released_at', rfc3339(hold.released_at),
    'released_by', CASE WHEN hold.released_by IS NOT NULL
        THEN json_build_object('token', hold.released_by) END);

-- MARK: Retention

-- What a site keeps for so long and no longer. Whole minutes: else each look would find what has become
-- due since the last one, and no run would come to its end.
CREATE FUNCTION due_before(retention_hours integer) RETURNS timestamptz
LANGUAGE sql STABLE
RETURN date_trunc('minute', now()) - retention_hours * interval '1 hour';

-- What the journal's hashes are of: id and time (microseconds since 1970, 8 bytes) of each detection,
-- by time and id.
CREATE FUNCTION detection_identity(id uuid, occurred_at timestamptz) RETURNS bytea
LANGUAGE sql IMMUTABLE
RETURN uuid_send(id) || int8send((extract(epoch FROM occurred_at) * 1000000)::bigint);

-- What a run of retention found due, and what a hold keeps of it as copies; the rest is deleted.
CREATE TYPE due_detections AS (
    due bigint,
    kept_by_hold bigint,
    due_hash bytea,
    deleted_hash bytea,
    oldest timestamptz,
    newest timestamptz
);

-- Copies that no hold covers any more.
CREATE TYPE deleted_copies AS (copies bigint, hash bytea);

-- Keeps the keys of what `source` selects or deletes.
CREATE FUNCTION settle_due_detections(source text) RETURNS due_detections
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
    settled due_detections;
BEGIN
    EXECUTE
        'WITH due AS (' || source || $settling$),
        -- An alarm may have taken it only after it was stored.
        taken AS (
            SELECT d.*, coalesce(d.alarm, p.alarm) AS taken_by
            FROM due d
            LEFT JOIN preceding_detections p
                ON p.site = d.site AND p.occurred_at = d.occurred_at AND p.id = d.id
        ),
        keys AS (
            INSERT INTO detection_keys
            SELECT site, id, occurred_at, content_hash, taken_by, counted_only FROM taken
            ON CONFLICT DO NOTHING
        ), settled AS (
            SELECT detection_identity(id, occurred_at) AS identity, id, occurred_at,
                is_held(camera, pattern, occurred_at) AS held
            FROM due
        )
        SELECT count(*), count(*) FILTER (WHERE held),
            sha256(coalesce(string_agg(identity, '' ORDER BY occurred_at, id), '')),
            sha256(coalesce(
                string_agg(identity, '' ORDER BY occurred_at, id) FILTER (WHERE NOT held), '')),
            min(occurred_at), max(occurred_at)
        FROM settled$settling$
    INTO settled;
    RETURN settled;
END
$$;

-- One row of the journal per site and run. Due is what the period has run out for; of this, what a
-- hold keeps has left the detections, but not its copy.
CREATE FUNCTION journal_retention(
    change bigint, ordinal integer, site text, deleted_before timestamptz, settled due_detections,
    gone deleted_copies
) RETURNS void
LANGUAGE sql SET search_path = public, pg_temp
BEGIN ATOMIC
    INSERT INTO journal (change, ordinal, event, site, subject, occurred_at, document)
    SELECT journal_retention.change, journal_retention.ordinal, 'retention.completed', s.id, s.id,
        clock_timestamp(), json_build_object(
            'site', s.id,
            'retention_hours', s.retention_hours,
            'deleted_before', rfc3339(journal_retention.deleted_before),
            'due', settled.due,
            'due_hash', encode(settled.due_hash, 'hex'),
            'kept_by_hold', settled.kept_by_hold,
            'deleted', settled.due - settled.kept_by_hold,
            'deleted_hash', encode(settled.deleted_hash, 'hex'),
            'oldest', rfc3339(settled.oldest),
            'newest', rfc3339(settled.newest),
            'released_copies_deleted', coalesce(gone.copies, 0),
            'released_copies_hash', encode(gone.hash, 'hex'))
    FROM sites s WHERE s.id = journal_retention.site;
    INSERT INTO retention_marks AS m
    SELECT journal_retention.site, journal_retention.deleted_before
    WHERE journal_retention.deleted_before IS NOT NULL
    ON CONFLICT (site) DO UPDATE
    SET deleted_before = greatest(m.deleted_before, excluded.deleted_before);
END;

-- Copies whatever running holds cover in a range of a table of detections and nobody has copied.
-- Whoever made a hold and each insertion have done so before; a deletion does not rely on it.
CREATE FUNCTION copy_remaining(source regclass, site text, upper timestamptz) RETURNS void
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    EXECUTE format(
        'INSERT INTO held_detections
        SELECT d.* FROM evidence_holds h
        JOIN %s d ON d.camera = h.camera AND d.site = h.site
            AND d.occurred_at >= h.starts_at AND d.occurred_at < least(h.ends_at, $2)
            AND (h.pattern IS NULL OR d.pattern = h.pattern)
        WHERE h.released_at IS NULL AND ($1 IS NULL OR h.site = $1)
        ON CONFLICT DO NOTHING', source)
    USING site, upper;
END
$$;

-- Drops a partition that has left detections, once what must stay of it is kept.
CREATE FUNCTION drop_retiring_partition(partition retiring_partitions) RETURNS bigint
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
<<dropping>>
DECLARE
    change bigint := nextval('changes');
    ordinal integer := 0;
    total bigint := 1;
    site text;
    settled due_detections;
BEGIN
    PERFORM copy_remaining(to_regclass(partition.name), NULL, 'infinity');
    FOR site IN EXECUTE format('SELECT DISTINCT site FROM %I ORDER BY 1', partition.name) LOOP
        settled := settle_due_detections(
            format('SELECT * FROM %I WHERE site = %L', partition.name, site));
        ordinal := ordinal + 1;
        total := total + settled.due;
        PERFORM journal_retention(change, ordinal, site, partition.ends_at, settled, NULL);
    END LOOP;
    EXECUTE format('DROP TABLE %I', partition.name);
    DELETE FROM retiring_partitions r WHERE r.name = partition.name;
    IF ordinal > 0 THEN
        PERFORM append_position(change);
    END IF;
    RETURN total;
END
$$;

-- Takes the oldest day out of detections whose every row every site must delete. Only this needs
-- detections for itself, and for no longer than it takes; its rows are settled in the next run.
CREATE FUNCTION retire_partition() RETURNS boolean
LANGUAGE plpgsql SET search_path = public, pg_temp SET lock_timeout = '1s' AS $$
DECLARE
    due_before timestamptz := (SELECT due_before(max(retention_hours)) FROM sites);
    name text;
    ends_at timestamptz;
BEGIN
    SELECT c.relname, ((right(c.relname, 8)::date + 1)::timestamp AT TIME ZONE 'UTC')
    INTO name, ends_at
    FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
    WHERE i.inhparent = 'detections'::regclass AND c.relname ~ '^detections_[0-9]{8}$'
    ORDER BY c.relname LIMIT 1;
    IF name IS NULL OR ends_at > due_before OR due_before IS NULL THEN
        RETURN false;
    END IF;
    LOCK TABLE ONLY detections IN ACCESS EXCLUSIVE MODE;
    EXECUTE format('ALTER TABLE detections DETACH PARTITION %I', name);
    -- It has left its guard behind.
    EXECUTE format(
        'CREATE TRIGGER guarded BEFORE UPDATE OR DELETE ON %I
            FOR EACH ROW EXECUTE FUNCTION guard_detection()', name);
    INSERT INTO retiring_partitions
    SELECT name, ends_at, coalesce(max(p.position), 0) FROM positions p;
    RETURN true;
EXCEPTION
    -- Whoever reads detections for so long must not make ingest wait behind us.
    WHEN lock_not_available THEN RETURN false;
END
$$;

-- Deletes the due detections of one site, at most those of one day (UTC).
CREATE FUNCTION delete_due_rows() RETURNS bigint
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
    change bigint;
    site text;
    upper timestamptz;
    settled due_detections;
BEGIN
    SELECT s.id, least(s.due_before, date_trunc('day', old.occurred_at, 'UTC') + interval '24 hours')
    INTO site, upper
    FROM (SELECT id, due_before(retention_hours) AS due_before FROM sites) s
    CROSS JOIN LATERAL (
        SELECT d.occurred_at FROM detections d
        WHERE d.site = s.id AND d.occurred_at < s.due_before
        ORDER BY d.occurred_at LIMIT 1
    ) old
    ORDER BY old.occurred_at LIMIT 1;
    IF NOT FOUND THEN
        RETURN 0;
    END IF;
    change := nextval('changes');
    PERFORM copy_remaining('detections', site, upper);
    settled := settle_due_detections(
        format(
            'DELETE FROM detections
            WHERE site = %L AND occurred_at < %L AND was_known(change, %s) RETURNING *',
            site, upper, counted_position()));
    -- What is due is not counted yet, and goes in the next run.
    IF settled.due = 0 THEN
        RETURN count_detections();
    END IF;
    PERFORM journal_retention(change, 1, site, upper, settled, NULL);
    PERFORM append_position(change);
    RETURN settled.due;
END
$$;

-- Deletes the copies of one site's released holds that are due and that no other hold covers. Of what
-- is due no detection is left itself when this runs.
CREATE FUNCTION sweep_released_holds() RETURNS bigint
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
<<sweeping>>
DECLARE
    change bigint;
    site text;
    due_before timestamptz;
    gone deleted_copies;
BEGIN
    SELECT h.site, s.due_before INTO site, due_before
    FROM (SELECT id, due_before(retention_hours) AS due_before FROM sites) s
    JOIN evidence_holds h ON h.site = s.id
    WHERE h.released_at IS NOT NULL AND NOT h.swept
        AND (h.ends_at <= s.due_before
            OR EXISTS (
                SELECT FROM held_detections k
                WHERE k.camera = h.camera AND k.occurred_at >= h.starts_at
                    AND k.occurred_at < least(h.ends_at, s.due_before)
                    AND (h.pattern IS NULL OR k.pattern = h.pattern)
                    AND NOT is_held(k.camera, k.pattern, k.occurred_at)))
    LIMIT 1;
    IF NOT FOUND THEN
        RETURN 0;
    END IF;
    WITH released AS (
        UPDATE evidence_holds h SET swept = h.ends_at <= sweeping.due_before
        WHERE h.site = sweeping.site AND h.released_at IS NOT NULL AND NOT h.swept
            AND h.starts_at < sweeping.due_before
        RETURNING h.camera, h.starts_at, least(h.ends_at, sweeping.due_before) AS ends_at,
            h.pattern
    ), deleted AS (
        DELETE FROM held_detections k USING released r
        WHERE k.camera = r.camera AND k.occurred_at >= r.starts_at AND k.occurred_at < r.ends_at
            AND (r.pattern IS NULL OR k.pattern = r.pattern)
            AND NOT is_held(k.camera, k.pattern, k.occurred_at)
        RETURNING k.id, k.occurred_at
    )
    SELECT count(*), sha256(coalesce(
        string_agg(detection_identity(d.id, d.occurred_at), '' ORDER BY d.occurred_at, d.id), ''))
    INTO gone FROM deleted d;
    IF gone.copies > 0 THEN
        change := nextval('changes');
        PERFORM journal_retention(
            change, 1, site, NULL, ROW(0, 0, sha256(''), sha256(''), NULL, NULL)::due_detections,
            gone);
        PERFORM append_position(change);
    END IF;
    RETURN 1 + gone.copies;
END
$$;

-- Deletes a part of what is due: a day that is past every site's period as a whole, else one site's
-- rows of one day, at last the copies of released holds. Any instance may call it, again and again until it returns 0; of several at once
-- one works. Runs with the owner's rights, as the runtime role may delete no detection.
CREATE FUNCTION run_retention() RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    partition retiring_partitions;
    uncopied uuid[];
    deleted bigint;
BEGIN
    IF NOT pg_try_advisory_xact_lock(7236003) THEN
        RETURN 0;
    END IF;
    -- What an instance that died has not copied is copied now, and nothing else in this transaction:
    -- it would wait for others that copy, who wait for it.
    uncopied := ARRAY(
        SELECT id FROM evidence_holds WHERE released_at IS NULL AND copied_to < ends_at LIMIT 100);
    IF uncopied <> '{}' THEN
        PERFORM copy_held_detections(uncopied);
        RETURN 1;
    END IF;
    SELECT * INTO partition FROM retiring_partitions ORDER BY name LIMIT 1;
    IF FOUND THEN
        IF uncounted_positions(partition.last_position) > 0 THEN
            RETURN count_detections();
        END IF;
        PERFORM pg_advisory_xact_lock(7236004);
        RETURN drop_retiring_partition(partition);
    END IF;
    IF retire_partition() THEN
        RETURN 1;
    END IF;
    PERFORM pg_advisory_xact_lock(7236004);
    deleted := delete_due_rows();
    RETURN CASE WHEN deleted > 0 THEN deleted ELSE sweep_released_holds() END;
END
$$;

-- Those of the asked that retention has deleted. A partition that is about to be dropped is looked into
-- first: once it is gone, its keys are there.
CREATE FUNCTION deleted_detections(sites text[], ids uuid[], times timestamptz[])
RETURNS TABLE (ordinal bigint, content_hash bytea, alarm uuid, counted_only boolean)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    retiring text;
BEGIN
    FOR retiring IN SELECT r.name FROM retiring_partitions r LOOP
        BEGIN
            RETURN QUERY EXECUTE format(
                'SELECT asked.ordinal, d.content_hash, coalesce(d.alarm, p.alarm), d.counted_only
                FROM unnest($1, $2, $3) WITH ORDINALITY AS asked (site, id, occurred_at, ordinal)
                JOIN %I d ON d.site = asked.site AND d.occurred_at = asked.occurred_at
                    AND d.id = asked.id
                LEFT JOIN preceding_detections p ON p.site = d.site
                    AND p.occurred_at = d.occurred_at AND p.id = d.id', retiring)
            USING sites, ids, times;
        EXCEPTION
            WHEN undefined_table THEN NULL;
        END;
    END LOOP;
    RETURN QUERY
    SELECT asked.ordinal, k.content_hash, k.alarm, k.counted_only
    FROM unnest(sites, ids, times) WITH ORDINALITY AS asked (site, id, occurred_at, ordinal)
    JOIN detection_keys k ON k.site = asked.site AND k.occurred_at = asked.occurred_at
        AND k.id = asked.id;
END
$$;

-- MARK: Labels

-- The verdicts and missed matters that are labels for training, in the order in which they became
-- known. A change that makes or alters a label adds a row; what it says is in the journal.
CREATE TABLE labels (
    position bigint NOT NULL,
    ordinal integer NOT NULL,
    change bigint NOT NULL,
    site text NOT NULL,
    kind text NOT NULL CHECK (kind IN ('alarm', 'incident')),
    subject uuid NOT NULL,
    -- What the label says; another event that says the same makes no label.
    content text NOT NULL,
    withdrawn boolean NOT NULL,
    -- The label of the same subject before.
    supersedes_position bigint,
    supersedes_ordinal integer,
    PRIMARY KEY (position, ordinal)
);
GRANT SELECT ON labels TO leitstand;
CREATE INDEX labels_by_site ON labels (site, position, ordinal);
CREATE INDEX labels_by_subject ON labels (subject, position, ordinal);

-- Appends the label that a row of the journal makes, if it makes one.
CREATE FUNCTION append_label(
    "position" bigint, change bigint, ordinal integer, event text, site text, subject uuid,
    document json
) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    is_alarm boolean := event LIKE 'alarm.%';
    is_label boolean := is_alarm
        OR document ->> 'assessment' = 'missed' AND document ->> 'retracted_at' IS NULL;
    content text;
    earlier labels;
BEGIN
    SELECT * INTO earlier FROM labels l
    WHERE l.subject = append_label.subject
    ORDER BY l.position DESC, l.ordinal DESC LIMIT 1;
    IF NOT is_label AND (earlier IS NULL OR earlier.withdrawn) THEN
        RETURN;
    END IF;
    content := CASE
        WHEN NOT is_label THEN 'withdrawn'
        WHEN is_alarm THEN concat_ws(
            ' ', document ->> 'verdict', document ->> 'dismissal_reason')
        ELSE concat_ws(
            ' ', document ->> 'pattern', document ->> 'occurred_at', document ->> 'cameras')
    END;
    IF content = earlier.content THEN
        RETURN;
    END IF;
    INSERT INTO labels
    VALUES (
        append_label."position", ordinal, change, site, CASE WHEN is_alarm THEN 'alarm' ELSE 'incident' END,
        subject, content, NOT is_label, earlier.position, earlier.ordinal);
END
$$;

-- Runs at COMMIT, when the change has its position, and only for the events that can make a label.
CREATE FUNCTION append_journaled_label() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM append_label(
        p.position, NEW.change, NEW.ordinal, NEW.event, NEW.site, NEW.subject::uuid, NEW.document)
    FROM positions p WHERE p.change = NEW.change;
    RETURN NULL;
END
$$;
CREATE CONSTRAINT TRIGGER label_appended AFTER INSERT ON journal
    DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW WHEN (
        NEW.event IN ('alarm.confirmed', 'alarm.dismissed', 'incident.created', 'incident.changed',
            'incident.assessed', 'incident.retracted'))
    EXECUTE FUNCTION append_journaled_label();

-- The verdicts that were given before there were labels.
DO $$
DECLARE
    past record;
BEGIN
    FOR past IN
        SELECT p.position, j.* FROM journal j JOIN positions p USING (change)
        WHERE j.event IN ('alarm.confirmed', 'alarm.dismissed')
        ORDER BY p.position, j.ordinal
    LOOP
        PERFORM append_label(
            past.position, past.change, past.ordinal, past.event, past.site, past.subject::uuid,
            past.document);
    END LOOP;
END
$$;

-- What a label is about: which camera, from when to when.
CREATE FUNCTION label_scenes(label labels)
RETURNS TABLE (camera uuid, pattern text, starts_at timestamptz, ends_at timestamptz)
LANGUAGE sql STABLE
BEGIN ATOMIC
    -- All that the alarm counts. A node's clock may be ahead of ours, by which the alarm's own times
    -- are.
    SELECT a.camera, a.pattern, least(a.started_at, min(counted.occurred_at)),
        greatest(a.last_detection_at, max(counted.occurred_at)) + interval '1 microsecond'
    FROM alarms a
    LEFT JOIN LATERAL (
        SELECT d.occurred_at FROM detections_of_alarm(a.site, a.id) d
        UNION ALL
        -- What retention has taken of them.
        SELECT p.occurred_at FROM preceding_detections p
        WHERE p.site = a.site AND p.alarm = a.id
        UNION ALL
        SELECT k.occurred_at FROM held_detections k
        WHERE k.camera = a.camera AND k.alarm = a.id
            AND k.occurred_at BETWEEN a.started_at AND a.last_detection_at + interval '5 minutes'
    ) AS counted ON true
    WHERE label.kind = 'alarm' AND a.site = label.site AND a.id = label.subject
    GROUP BY a.camera, a.pattern, a.started_at, a.last_detection_at
    UNION ALL
    -- As far around a missed matter as an alarm would have counted as its detection.
    SELECT c.camera, i.pattern, i.occurred_at - interval '60 seconds',
        i.occurred_at + interval '120 seconds'
    FROM incidents i
    JOIN incident_cameras c ON c.site = i.site AND c.incident = i.id
    WHERE label.kind = 'incident' AND NOT label.withdrawn AND i.site = label.site
        AND i.id = label.subject AND i.pattern IS NOT NULL;
END;

-- The model that analysed all of these cameras for a pattern then; NULL when it was none or several.
CREATE FUNCTION analysing_model(site text, cameras uuid[], pattern text, at timestamptz) RETURNS text
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT min(i.model) FROM analysis_intervals i
    WHERE i.site = analysing_model.site AND i.camera = ANY (analysing_model.cameras)
        AND i.pattern = analysing_model.pattern AND i.status = 'analysing' AND i.starts_at <= at
        AND (i.ends_at IS NULL OR i.ends_at > at)
    HAVING count(DISTINCT i.model) = 1;
END;

-- Under which version of the site's rule for a pattern an alarm would have been raised then; NULL for
-- the product's own.
CREATE FUNCTION rule_version_at(site text, pattern text, at timestamptz) RETURNS integer
LANGUAGE sql STABLE
RETURN (
    SELECT max(r.version) FROM correlation_rules r
    WHERE r.site = rule_version_at.site AND r.pattern = rule_version_at.pattern
        AND r.created_at <= at);

-- What a hold for training covers of a label's scenes.
CREATE FUNCTION label_pins(label labels, legal_basis text)
RETURNS TABLE (camera uuid, starts_at timestamptz, ends_at timestamptz, complete_from timestamptz)
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT h.camera, h.starts_at, h.ends_at, h.complete_from
    FROM label_scenes(label) scene
    JOIN evidence_holds h ON h.camera = scene.camera AND h.pattern = scene.pattern
        AND h.starts_at < scene.ends_at AND h.ends_at > scene.starts_at
    WHERE h.released_at IS NULL AND h.ground = 'training'
        AND h.legal_basis = label_pins.legal_basis;
END;

-- The detections of a label's scenes, by time. Nothing is given away that is not pinned for it.
CREATE FUNCTION label_detections(label labels, legal_basis text, operating_mode text)
RETURNS SETOF held_detections
LANGUAGE sql STABLE
BEGIN ATOMIC
    WITH pins AS MATERIALIZED (SELECT * FROM label_pins(label, label_detections.legal_basis))
    SELECT k.*
    FROM label_scenes(label) scene
    JOIN held_detections k ON k.camera = scene.camera AND k.pattern = scene.pattern
        AND k.occurred_at >= scene.starts_at AND k.occurred_at < scene.ends_at
    WHERE (label.kind = 'incident' OR k.operating_mode = label_detections.operating_mode)
        AND EXISTS (
            SELECT FROM pins p
            WHERE p.camera = k.camera AND p.starts_at <= k.occurred_at
                AND p.ends_at > k.occurred_at)
    ORDER BY k.occurred_at, k.id;
END;

CREATE FUNCTION labelled_detection_document(detection held_detections) RETURNS json
LANGUAGE sql STABLE
RETURN json_build_object(
    'id', detection.id,
    'camera', detection.camera,
    'model', detection.model,
    'confidence', detection.confidence,
    'occurred_at', rfc3339(detection.occurred_at),
    'ended_at', rfc3339(detection.ended_at),
    'raised', detection.alarm IS NOT NULL OR EXISTS (
        SELECT FROM preceding_detections p
        WHERE p.site = detection.site AND p.occurred_at = detection.occurred_at
            AND p.id = detection.id),
    'boxes', detection.payload -> 'boxes',
    'keypoints', detection.payload -> 'keypoints',
    'track', detection.payload -> 'track',
    'recording', detection.payload -> 'recording');

-- A label as it is given away on a legal basis: nothing in it is about persons.
CREATE FUNCTION label_document(label labels, legal_basis text, detections_max integer) RETURNS json
LANGUAGE sql STABLE
BEGIN ATOMIC
    WITH entry AS (
        SELECT j.document, j.occurred_at, label.kind = 'alarm' AS is_alarm,
            CASE WHEN label.kind = 'alarm' THEN json_build_array(j.document -> 'camera')
                ELSE j.document -> 'cameras' END AS cameras,
            coalesce(j.document ->> 'raised_at', j.document ->> 'occurred_at')::timestamptz AS seen_at
        FROM journal j
        WHERE j.change = label.change AND j.ordinal = label.ordinal
    ), seen AS MATERIALIZED (
        SELECT d AS detection, d.alarm, d.model, row_number() OVER () AS place
        FROM entry
        CROSS JOIN LATERAL label_detections(
            label, label_document.legal_basis, document ->> 'operating_mode') d
    )
    SELECT json_build_object(
        'id', label.position || '.' || label.ordinal,
        'supersedes', label.supersedes_position || '.' || label.supersedes_ordinal,
        'kind', label.kind,
        'subject', label.subject,
        'site', label.site,
        'verdict', CASE
            WHEN label.withdrawn THEN 'withdrawn'
            WHEN is_alarm THEN document ->> 'verdict'
            ELSE 'missed' END,
        'reason', document ->> 'dismissal_reason',
        'judged_at', rfc3339(entry.occurred_at),
        'pattern', document ->> 'pattern',
        'operating_mode', document ->> 'operating_mode',
        'cameras', cameras,
        'model', coalesce(
            document ->> 'model',
            (SELECT s.model FROM seen s WHERE s.alarm = label.subject ORDER BY s.place LIMIT 1),
            analysing_model(
                label.site, ARRAY(SELECT json_array_elements_text(cameras)::uuid),
                document ->> 'pattern', seen_at)),
        'rule_version', CASE WHEN is_alarm THEN document -> 'rule_version'
            ELSE to_json(rule_version_at(label.site, document ->> 'pattern', seen_at)) END,
        'occurred_at', document ->> 'occurred_at',
        'raised_at', document ->> 'raised_at',
        'cleared_at', (SELECT rfc3339(a.cleared_at) FROM alarms a
            WHERE is_alarm AND a.site = label.site AND a.id = label.subject),
        'detections', coalesce(
            (SELECT json_agg(labelled_detection_document(s.detection) ORDER BY s.place)
                FROM seen s WHERE s.place <= detections_max),
            '[]'),
        'detections_omitted', (SELECT greatest(count(*) - detections_max, 0) FROM seen),
        -- Whether all that the scenes had was there when they were pinned.
        'complete', (
            SELECT bool_and(EXISTS (
                SELECT FROM label_pins(label, label_document.legal_basis) p
                WHERE p.camera = scene.camera AND p.starts_at <= scene.starts_at
                    AND p.ends_at >= scene.ends_at AND p.complete_from <= scene.starts_at))
            FROM label_scenes(label) scene))
    FROM entry;
END;

-- What runs with the owner's rights is for the server's role alone, and labels only for the trigger.
REVOKE EXECUTE ON FUNCTION
    append_label(bigint, bigint, integer, text, text, uuid, json), run_retention(),
    deleted_detections(text[], uuid[], timestamptz[]), ensure_detection_partitions(date, date),
    copy_held_detections(uuid[]), time_zone_is_fixed(text, text),
    -- Whoever may execute a trigger's function may put it on a table of their own.
    append_journaled_label(), copy_arriving_detections(), prepare_holds()
FROM PUBLIC;
GRANT EXECUTE ON FUNCTION
    run_retention(), deleted_detections(text[], uuid[], timestamptz[]),
    ensure_detection_partitions(date, date), copy_held_detections(uuid[]), time_zone_is_fixed(text, text)
TO leitstand;
-- Such functions find what they name in public first: nobody else may put anything there. Before
-- PostgreSQL 15 everybody might. Whoever does not own the schema cannot revoke it, and must not
-- begin with a database in which it is so.
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
DO $$
BEGIN
    IF has_schema_privilege('leitstand', 'public', 'CREATE') THEN
        RAISE EXCEPTION 'the role leitstand may create in the schema public'
            USING HINT = 'As the schema''s owner: REVOKE CREATE ON SCHEMA public FROM PUBLIC;';
    END IF;
END
$$;
