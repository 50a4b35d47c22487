-- Only retention takes a day out of detections. A hold's copying takes moments, and a day that somebody
-- dropped or detached by hand meanwhile took what was not copied yet with it. And a day that somebody
-- reads for long does not keep retention from the others.

-- MARK: Days that go by hand

-- The owner of a table may drop it, and no trigger is asked, unless a superuser makes one for that. But
-- PostgreSQL drops nothing that something else depends on: so on each partition depends a view, of no
-- use but its name. It goes with the partition for whoever says CASCADE; nobody does so by mistake.
CREATE FUNCTION keep_from_dropping(partition text) RETURNS void
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
    keeper text := 'only_retention_drops_' || partition;
BEGIN
    IF to_regclass(keeper) IS NULL THEN
        EXECUTE format('CREATE VIEW %I AS SELECT FROM %I', keeper, partition);
    END IF;
END
$$;

-- As before, but that each also gets what keeps it from being dropped.
CREATE OR REPLACE FUNCTION guard_partitions() RETURNS void
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
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
        PERFORM keep_from_dropping(partition::text);
    END LOOP;
END
$$;
SELECT keep_from_dropping(c.relname) FROM pg_class c
WHERE c.oid IN (SELECT inhrelid FROM pg_inherits WHERE inhparent = 'detections'::regclass)
    OR c.relnamespace = 'public'::regnamespace
        AND c.relname IN (SELECT name FROM retiring_partitions);

-- The days that have left detections, by whomever: what they have is stored still.
CREATE FUNCTION detached_partitions() RETURNS SETOF text
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT c.relname::text FROM pg_class c
    WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r'
        AND c.relname ~ '^detections_[0-9]{8}$' AND NOT c.relispartition;
END;

-- As before, but that it also has what somebody has detached by hand.
CREATE OR REPLACE FUNCTION stored_detections() RETURNS text
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT string_agg(format('SELECT * FROM %I', t.name), ' UNION ALL ')
    FROM (SELECT 'detections' AS name UNION ALL SELECT * FROM detached_partitions()) t;
END;

-- MARK: Days that somebody reads

-- As before, but that what keeps it goes too.
CREATE OR REPLACE FUNCTION drop_retiring_partition(partition retiring_partitions) RETURNS bigint
LANGUAGE plpgsql SET search_path = public, pg_temp SET lock_timeout = '1s' AS $$
BEGIN
    -- Whoever copies must not find it in the list and then no more.
    PERFORM pg_advisory_xact_lock(7236004);
    EXECUTE format('DROP TABLE IF EXISTS %I CASCADE', partition.name);
    DELETE FROM retiring_partitions r WHERE r.name = partition.name;
    RETURN 1;
EXCEPTION
    -- Whoever reads it for so long must not make holds and ingest wait behind us.
    WHEN lock_not_available THEN RETURN 0;
END
$$;

DROP FUNCTION settle_retiring_partition(retiring_partitions, integer);

-- The next run through a partition that has left detections: the next site in it.
CREATE FUNCTION next_retiring_site(partition retiring_partitions) RETURNS retention_runs
LANGUAGE plpgsql STABLE SET search_path = public, pg_temp AS $$
DECLARE
    run retention_runs;
BEGIN
    run.source := partition.name;
    run.deleted_before := partition.ends_at;
    run.counted_position := counted_position();
    run.settled_at := '-infinity';
    IF to_regclass(partition.name) IS NOT NULL THEN
        EXECUTE format('SELECT d.site FROM %I d ORDER BY d.site LIMIT 1', partition.name)
        INTO run.site;
    END IF;
    RETURN run;
END
$$;

-- As before, but that partitions of which nothing is left are dropped after all else is done: one that
-- somebody reads is left to the next round, and keeps nothing else from being deleted.
CREATE OR REPLACE FUNCTION run_retention(rows_max integer DEFAULT 5000) RETURNS bigint
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
    FOR partition IN SELECT * FROM retiring_partitions ORDER BY name LOOP
        run := next_retiring_site(partition);
        CONTINUE WHEN run.site IS NULL;
        IF uncounted_positions(partition.last_position) > 0 THEN
            RETURN count_detections();
        END IF;
        RETURN begin_retention_run(run, rows_max);
    END LOOP;
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
    IF run.site IS NOT NULL THEN
        RETURN begin_retention_run(run, rows_max);
    END IF;
    FOR partition IN SELECT * FROM retiring_partitions ORDER BY name LOOP
        IF drop_retiring_partition(partition) > 0 THEN
            RETURN 1;
        END IF;
    END LOOP;
    RETURN 0;
END
$$;
