-- Retention in steps. A day of 100,000 detections took seconds in one transaction, and whoever made a
-- hold meanwhile waited for all of it. Now a transaction deletes a few thousand, and a run of as many
-- as it takes is one row of the journal. A hold made between two of them keeps what is not deleted
-- yet; a crash between two of them loses nothing, and whoever comes next goes on.
--
-- Locks are taken in the order that 0008 gives. Nothing is counted any more while 7236004 is held.

-- The run under way, at most one: through the detections of a site that are in one table, or through
-- the copies that one released hold leaves.
CREATE TABLE retention_runs (
    site text PRIMARY KEY REFERENCES sites,
    -- Of detections: the table that has them, `detections` or a partition that has left it.
    source text,
    -- Of copies: the hold. No foreign key: it would answer in the place of the guard of holds.
    hold uuid,
    deleted_before timestamptz NOT NULL,
    -- Up to where detections were counted when it began: it deletes none that became known later.
    counted_position bigint NOT NULL,
    -- The last that it has gone through, by time and id.
    settled_at timestamptz NOT NULL,
    settled_id uuid NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000',
    CHECK (num_nonnulls(source, hold) = 1)
);
CREATE UNIQUE INDEX retention_runs_one ON retention_runs ((true));
GRANT SELECT ON retention_runs TO leitstand;

-- What each step of the run under way has found due, and deleted altogether: the rest of it a hold
-- keeps as copies. The identities make the journal's hashes, which do not depend on the steps.
CREATE TABLE retention_steps (
    ordinal bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    due bigint NOT NULL,
    due_identities bytea NOT NULL,
    deleted bigint NOT NULL,
    deleted_identities bytea NOT NULL,
    oldest timestamptz,
    newest timestamptz
);
-- Nothing in them repeats itself.
ALTER TABLE retention_steps
    ALTER due_identities SET STORAGE EXTERNAL, ALTER deleted_identities SET STORAGE EXTERNAL;
GRANT SELECT ON retention_steps TO leitstand;

DROP FUNCTION run_retention();
DROP FUNCTION drop_retiring_partition(retiring_partitions);
DROP FUNCTION delete_due_rows();
DROP FUNCTION sweep_released_holds();
DROP FUNCTION settle_due_detections(text);
DROP FUNCTION journal_retention(bigint, integer, text, timestamptz, due_detections, deleted_copies);
DROP TYPE due_detections;
DROP TYPE deleted_copies;

-- MARK: What is stored

-- As before, but quicker: the database asks this of each row that is deleted. This language keeps its
-- plan, where the other made one for each question in a trigger.
CREATE OR REPLACE FUNCTION is_held(camera uuid, pattern text, occurred_at timestamptz) RETURNS boolean
LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN EXISTS (
        SELECT FROM evidence_holds h
        WHERE h.camera = is_held.camera AND h.released_at IS NULL
            AND h.starts_at <= is_held.occurred_at AND h.ends_at > is_held.occurred_at
            AND (h.pattern IS NULL OR h.pattern = is_held.pattern));
END
$$;

CREATE OR REPLACE FUNCTION guard_detection() RETURNS trigger
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    -- By itself, since the rest is a query, and seldom asked.
    IF is_held(OLD.camera, OLD.pattern, OLD.occurred_at) THEN
        IF TG_OP = 'UPDATE' OR NOT EXISTS (
            SELECT FROM held_detections k
            WHERE k.site = OLD.site AND k.occurred_at = OLD.occurred_at AND k.id = OLD.id)
        THEN
            RAISE 'an evidence hold covers detection % of %', OLD.id, OLD.site
                USING ERRCODE = 'restrict_violation';
        END IF;
    END IF;
    IF TG_OP = 'DELETE' THEN
        RETURN OLD;
    END IF;
    RETURN NEW;
END
$$;

-- A query of all detections that are stored: also those of partitions that have left `detections`.
CREATE FUNCTION stored_detections() RETURNS text
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT string_agg(format('SELECT * FROM %I', t.name), ' UNION ALL ')
    FROM (
        SELECT 'detections' AS name
        UNION ALL
        -- Somebody with the right to may have dropped one by hand.
        SELECT p.name FROM retiring_partitions p WHERE to_regclass(p.name) IS NOT NULL
    ) t;
END;

-- As before, but that it also finds what lost its content among what has left detections.
CREATE OR REPLACE FUNCTION settle_hold() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    -- With a plan that is kept, as many holds may be made at once; mostly nothing has left detections.
    lost_before timestamptz := (
        SELECT max(d.occurred_at) + interval '1 microsecond' FROM detections d
        WHERE d.camera = NEW.camera AND d.counted_only
            AND d.occurred_at >= NEW.starts_at AND d.occurred_at < NEW.ends_at
            AND (NEW.pattern IS NULL OR d.pattern = NEW.pattern));
    retiring text;
    lost_there timestamptz;
BEGIN
    FOR retiring IN
        SELECT p.name FROM retiring_partitions p WHERE to_regclass(p.name) IS NOT NULL
    LOOP
        EXECUTE format(
            'SELECT max(d.occurred_at) + interval ''1 microsecond'' FROM %I d
            WHERE d.camera = $1 AND d.counted_only AND d.occurred_at >= $2 AND d.occurred_at < $3
                AND ($4 IS NULL OR d.pattern = $4)', retiring)
        INTO lost_there
        USING NEW.camera, NEW.starts_at, NEW.ends_at, NEW.pattern;
        lost_before := greatest(lost_before, lost_there);
    END LOOP;
    lost_before := greatest(
        lost_before, (SELECT m.deleted_before FROM retention_marks m WHERE m.site = NEW.site));
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

-- As before, but that `rows_max` also bounds what comes from partitions that have left detections.
CREATE OR REPLACE FUNCTION copy_next(hold evidence_holds, rows_max integer) RETURNS bigint
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
<<copying>>
DECLARE
    covered text :=
        '(' || stored_detections() || ') d
        WHERE d.camera = $1 AND d.occurred_at >= $2 AND d.occurred_at < $3
            AND ($4 IS NULL OR d.pattern = $4)';
    copied_to timestamptz;
    copied bigint;
BEGIN
    EXECUTE
        'SELECT d.occurred_at + interval ''1 microsecond'' FROM ' || covered
        || ' ORDER BY d.occurred_at OFFSET $5 - 1 LIMIT 1'
    INTO copied_to
    USING hold.camera, hold.copied_to, hold.ends_at, hold.pattern, rows_max;
    copied_to := coalesce(copied_to, hold.ends_at);
    EXECUTE
        'INSERT INTO held_detections SELECT d.* FROM ' || covered || ' ON CONFLICT DO NOTHING'
    USING hold.camera, hold.copied_to, copied_to, hold.pattern;
    GET DIAGNOSTICS copied = ROW_COUNT;
    UPDATE evidence_holds h SET copied_to = copying.copied_to WHERE h.id = hold.id;
    RETURN copied;
END
$$;

-- MARK: The steps

CREATE FUNCTION mark_deleted(site text, deleted_before timestamptz) RETURNS void
LANGUAGE sql SET search_path = public, pg_temp
BEGIN ATOMIC
    INSERT INTO retention_marks AS m VALUES (mark_deleted.site, mark_deleted.deleted_before)
    ON CONFLICT (site) DO UPDATE
    SET deleted_before = greatest(m.deleted_before, excluded.deleted_before);
END;

-- Deletes the detections of a step and keeps their keys. `step` is the FROM and WHERE of them.
CREATE FUNCTION settle_detections(run retention_runs, step text) RETURNS retention_steps
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
    known CONSTANT text := step || format(' AND was_known(d.change, %s)', run.counted_position);
    settled retention_steps;
BEGIN
    -- Whoever made a hold and each insertion have done so before; a deletion does not rely on it.
    EXECUTE
        'INSERT INTO held_detections SELECT d.* ' || known || '
            AND is_held(d.camera, d.pattern, d.occurred_at)
        ON CONFLICT DO NOTHING';
    EXECUTE
        'WITH gone AS (
            DELETE ' || known || ' RETURNING *
        ), keys AS (
            INSERT INTO detection_keys
            -- An alarm may have taken it only after it was stored.
            SELECT d.site, d.id, d.occurred_at, d.content_hash, coalesce(d.alarm, p.alarm),
                d.counted_only
            FROM gone d
            LEFT JOIN preceding_detections p
                ON p.site = d.site AND p.occurred_at = d.occurred_at AND p.id = d.id
            ON CONFLICT DO NOTHING
        ), identified AS (
            SELECT d.occurred_at, d.id, detection_identity(d.id, d.occurred_at) AS identity,
                EXISTS (
                    SELECT FROM held_detections k
                    WHERE k.site = d.site AND k.occurred_at = d.occurred_at AND k.id = d.id
                ) AS kept
            FROM gone d
        )
        INSERT INTO retention_steps (
            due, due_identities, deleted, deleted_identities, oldest, newest)
        SELECT count(*), coalesce(string_agg(identity, '''' ORDER BY occurred_at, id), ''''),
            count(*) FILTER (WHERE NOT kept),
            coalesce(
                string_agg(identity, '''' ORDER BY occurred_at, id) FILTER (WHERE NOT kept), ''''),
            min(occurred_at), max(occurred_at)
        FROM identified
        RETURNING *'
    INTO settled;
    RETURN settled;
END
$$;

-- Deletes those copies of a step that nothing holds any more.
CREATE FUNCTION sweep_copies(step text) RETURNS retention_steps
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
    settled retention_steps;
BEGIN
    EXECUTE
        'WITH gone AS (
            DELETE ' || step || ' AND NOT is_held(d.camera, d.pattern, d.occurred_at)
            RETURNING d.occurred_at, d.id
        )
        INSERT INTO retention_steps (due, due_identities, deleted, deleted_identities)
        SELECT 0, '''', count(*), coalesce(
            string_agg(
                detection_identity(d.id, d.occurred_at), '''' ORDER BY d.occurred_at, d.id), '''')
        FROM gone d
        RETURNING *'
    INTO settled;
    RETURN settled;
END
$$;

-- Journals a run that has gone through all. Due is what the period has run out for; of this, what a
-- hold keeps has left the detections, but not its copy. A run that deleted nothing is not journaled.
CREATE FUNCTION finish_retention_run(run retention_runs) RETURNS void
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
<<finishing>>
DECLARE
    change bigint;
    total record;
    nothing CONSTANT text := encode(sha256(''), 'hex');
BEGIN
    SELECT coalesce(sum(s.due), 0) AS due, coalesce(sum(s.deleted), 0) AS deleted,
        encode(sha256(coalesce(
            string_agg(s.due_identities, '' ORDER BY s.ordinal), '')), 'hex') AS due_hash,
        encode(sha256(coalesce(
            string_agg(s.deleted_identities, '' ORDER BY s.ordinal), '')), 'hex') AS deleted_hash,
        min(s.oldest) AS oldest, max(s.newest) AS newest
    INTO total FROM retention_steps s;
    DELETE FROM retention_steps;
    DELETE FROM retention_runs;
    UPDATE evidence_holds h SET swept = true
    WHERE h.id = run.hold AND h.ends_at <= run.deleted_before;
    IF total.due + total.deleted = 0 THEN
        IF run.source <> 'detections' AND to_regclass(run.source) IS NOT NULL THEN
            -- The next run would find no more in it, and so for ever.
            RAISE 'detections of % were never counted', run.source;
        END IF;
        RETURN;
    END IF;
    IF run.hold IS NULL THEN
        PERFORM mark_deleted(run.site, run.deleted_before);
    END IF;
    change := nextval('changes');
    INSERT INTO journal (change, ordinal, event, site, subject, occurred_at, document)
    SELECT finishing.change, 1, 'retention.completed', s.id, s.id, clock_timestamp(),
        CASE WHEN run.hold IS NULL THEN json_build_object(
            'site', s.id,
            'retention_hours', s.retention_hours,
            -- A period that was made longer meanwhile does not bring back what had been due.
            'deleted_before', rfc3339(
                greatest(run.deleted_before, total.newest + interval '1 microsecond')),
            'due', total.due,
            'due_hash', total.due_hash,
            'kept_by_hold', total.due - total.deleted,
            'deleted', total.deleted,
            'deleted_hash', total.deleted_hash,
            'oldest', rfc3339(total.oldest),
            'newest', rfc3339(total.newest),
            'released_copies_deleted', 0,
            'released_copies_hash', NULL)
        ELSE json_build_object(
            'site', s.id,
            'retention_hours', s.retention_hours,
            'deleted_before', NULL,
            'due', 0,
            'due_hash', nothing,
            'kept_by_hold', 0,
            'deleted', 0,
            'deleted_hash', nothing,
            'oldest', NULL,
            'newest', NULL,
            'hold', run.hold,
            'released_copies_deleted', total.deleted,
            'released_copies_hash', total.deleted_hash) END
    FROM sites s WHERE s.id = run.site;
    PERFORM append_position(change);
END
$$;

-- Takes the next step of a run, or finishes it. Returns how many it has deleted or given to holds, at
-- least 1.
CREATE FUNCTION continue_retention_run(run retention_runs, rows_max integer) RETURNS bigint
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
    hold evidence_holds;
    step text;
    last_at timestamptz;
    last_id uuid;
    settled retention_steps;
BEGIN
    -- Its site may keep more by now than when it began. What has left detections was due as a whole.
    IF run.hold IS NOT NULL OR run.source = 'detections' THEN
        run.deleted_before := least(
            run.deleted_before,
            (SELECT due_before(s.retention_hours) FROM sites s WHERE s.id = run.site));
    END IF;
    IF run.hold IS NULL THEN
        step := format('FROM %I d WHERE d.site = %L', run.source, run.site);
    ELSE
        SELECT * INTO hold FROM evidence_holds h WHERE h.id = run.hold;
        step := format('FROM held_detections d WHERE d.camera = %L', hold.camera);
        IF hold.pattern IS NOT NULL THEN
            step := step || format(' AND d.pattern = %L', hold.pattern);
        END IF;
    END IF;
    step := step || format(
        ' AND d.occurred_at >= %L AND d.occurred_at < %L AND (d.occurred_at, d.id) > (%1$L, %3$L)',
        run.settled_at, run.deleted_before, run.settled_id);
    IF run.source IS NULL OR to_regclass(run.source) IS NOT NULL THEN
        EXECUTE format(
            'SELECT n.occurred_at, n.id
            FROM (SELECT d.occurred_at, d.id %s ORDER BY d.occurred_at, d.id LIMIT %s) n
            ORDER BY n.occurred_at DESC, n.id DESC LIMIT 1', step, rows_max)
        INTO last_at, last_id;
    END IF;
    IF last_at IS NULL THEN
        PERFORM finish_retention_run(run);
        RETURN 1;
    END IF;
    step := step || format(
        ' AND d.occurred_at <= %L AND (d.occurred_at, d.id) <= (%1$L, %2$L)', last_at, last_id);

    -- From here on no hold is made or copied until this step is committed.
    PERFORM pg_advisory_xact_lock(7236004);
    IF run.hold IS NULL THEN
        settled := settle_detections(run, step);
        IF settled.due > 0 THEN
            PERFORM mark_deleted(run.site, settled.newest + interval '1 microsecond');
        END IF;
    ELSE
        settled := sweep_copies(step);
    END IF;
    UPDATE retention_runs SET settled_at = last_at, settled_id = last_id;
    RETURN greatest(settled.due, settled.deleted, 1);
END
$$;

-- Drops a partition that has left detections and of which nothing is left.
CREATE FUNCTION drop_retiring_partition(partition retiring_partitions) RETURNS bigint
LANGUAGE plpgsql SET search_path = public, pg_temp SET lock_timeout = '1s' AS $$
BEGIN
    -- Whoever copies must not find it in the list and then no more.
    PERFORM pg_advisory_xact_lock(7236004);
    EXECUTE format('DROP TABLE IF EXISTS %I', partition.name);
    DELETE FROM retiring_partitions r WHERE r.name = partition.name;
    RETURN 1;
EXCEPTION
    -- Whoever reads it for so long must not make holds and ingest wait behind us.
    WHEN lock_not_available THEN RETURN 0;
END
$$;

-- The next run through detections, at most those of one day (UTC), that are due and counted.
CREATE FUNCTION next_due_day() RETURNS retention_runs
LANGUAGE plpgsql STABLE SET search_path = public, pg_temp AS $$
DECLARE
    run retention_runs;
BEGIN
    run.source := 'detections';
    run.counted_position := counted_position();
    run.settled_at := '-infinity';
    SELECT s.id, least(s.due_before, date_trunc('day', old.occurred_at, 'UTC') + interval '24 hours')
    INTO run.site, run.deleted_before
    FROM (SELECT id, due_before(retention_hours) AS due_before FROM sites) s
    CROSS JOIN LATERAL (
        SELECT d.occurred_at FROM detections d
        WHERE d.site = s.id AND d.occurred_at < s.due_before
            AND was_known(d.change, run.counted_position)
        ORDER BY d.occurred_at LIMIT 1
    ) old
    ORDER BY old.occurred_at LIMIT 1;
    RETURN run;
END
$$;

-- The next run through the copies of a released hold that are due. Of what is due no detection is left
-- itself by then.
CREATE FUNCTION next_released_hold() RETURNS retention_runs
LANGUAGE plpgsql STABLE SET search_path = public, pg_temp AS $$
DECLARE
    run retention_runs;
BEGIN
    run.counted_position := counted_position();
    SELECT h.site, h.id, least(h.ends_at, s.due_before), h.starts_at
    INTO run.site, run.hold, run.deleted_before, run.settled_at
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
    ORDER BY h.released_at, h.id LIMIT 1;
    RETURN run;
END
$$;

CREATE FUNCTION begin_retention_run(run retention_runs, rows_max integer) RETURNS bigint
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    INSERT INTO retention_runs (
        site, source, hold, deleted_before, counted_position, settled_at)
    VALUES (
        run.site, run.source, run.hold, run.deleted_before, run.counted_position, run.settled_at)
    RETURNING * INTO run;
    RETURN continue_retention_run(run, rows_max);
END
$$;

-- Goes on with a partition that has left detections: the next site in it, or when none is left its end.
CREATE FUNCTION settle_retiring_partition(partition retiring_partitions, rows_max integer)
RETURNS bigint
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
    run retention_runs;
BEGIN
    IF to_regclass(partition.name) IS NOT NULL THEN
        EXECUTE format('SELECT d.site FROM %I d ORDER BY d.site LIMIT 1', partition.name)
        INTO run.site;
    END IF;
    IF run.site IS NULL THEN
        RETURN drop_retiring_partition(partition);
    END IF;
    run.source := partition.name;
    run.deleted_before := partition.ends_at;
    run.counted_position := counted_position();
    run.settled_at := '-infinity';
    RETURN begin_retention_run(run, rows_max);
END
$$;

-- Deletes a part of what is due, about `rows_max` detections at most: of a day that is past every
-- site's period as a whole, else of one site's rows of one day, at last of the copies of released holds.
-- Any instance may call it, again and again until it returns 0; of several at once one works. Runs with
-- the owner's rights, as the runtime role may delete no detection.
--
-- 5,000 take a few tenths of a second, and whoever wants to make a hold waits for no more than these.
CREATE FUNCTION run_retention(rows_max integer DEFAULT 5000) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    run retention_runs;
    partition retiring_partitions;
    uncopied uuid[];
    counted bigint;
BEGIN
    IF rows_max NOT BETWEEN 1 AND 5000 THEN
        RAISE 'a step of retention has 1 to 5000 rows' USING ERRCODE = 'invalid_parameter_value';
    END IF;
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
    SELECT * INTO run FROM retention_runs;
    IF FOUND THEN
        RETURN continue_retention_run(run, rows_max);
    END IF;
    SELECT * INTO partition FROM retiring_partitions ORDER BY name LIMIT 1;
    IF FOUND THEN
        IF uncounted_positions(partition.last_position) > 0 THEN
            RETURN count_detections();
        END IF;
        RETURN settle_retiring_partition(partition, rows_max);
    END IF;
    IF retire_partition() THEN
        RETURN 1;
    END IF;
    run := next_due_day();
    IF run.site IS NOT NULL THEN
        RETURN begin_retention_run(run, rows_max);
    END IF;
    -- What is due and not counted yet goes after this.
    IF EXISTS (
        SELECT FROM sites s
        JOIN detections d ON d.site = s.id AND d.occurred_at < due_before(s.retention_hours))
    THEN
        counted := count_detections();
        IF counted > 0 THEN
            RETURN counted;
        END IF;
    END IF;
    run := next_released_hold();
    RETURN CASE WHEN run.site IS NULL THEN 0 ELSE begin_retention_run(run, rows_max) END;
END
$$;

REVOKE EXECUTE ON FUNCTION run_retention(integer), settle_hold() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION run_retention(integer) TO leitstand;

-- MARK: Labels

-- As before, but that model and rule of a missed matter are those of its assessment, which the journal
-- keeps and the figures have: they were sought a second time, and where several models looked, or an
-- order had a camera not analysed, with another result. And an alarm's model is that of the detection
-- that raised it, as everywhere; each detection tells its own besides.
CREATE OR REPLACE FUNCTION label_document(label labels, legal_basis text, detections_max integer)
RETURNS json
LANGUAGE sql STABLE
BEGIN ATOMIC
    WITH entry AS (
        SELECT j.document, j.occurred_at, label.kind = 'alarm' AS is_alarm,
            CASE WHEN label.kind = 'alarm' THEN j.document ELSE j.document -> 'computed' END
                AS recognition
        FROM journal j
        WHERE j.change = label.change AND j.ordinal = label.ordinal
    ), seen AS MATERIALIZED (
        SELECT d AS detection, row_number() OVER () AS place
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
        'cameras', CASE WHEN is_alarm THEN json_build_array(document -> 'camera')
            ELSE document -> 'cameras' END,
        'model', recognition -> 'model',
        'rule_version', recognition -> 'rule_version',
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
DROP FUNCTION analysing_model(text, uuid[], text, timestamptz);
DROP FUNCTION rule_version_at(text, text, timestamptz);
