-- A longer run of the ledger was summed up from all of its rows once more, and a question read up to
-- fifteen runs of each length. Made of the sums of shorter runs a longer one costs next to nothing,
-- so there can be one for each four, and a question reads three of each length at most.

-- What the packed values of a cell say: of how many cases each is; NULL: of those that have none.
CREATE FUNCTION packed_values(total bigint, packed bytea)
RETURNS TABLE (value bigint, amount bigint)
LANGUAGE sql IMMUTABLE
BEGIN ATOMIC
    WITH known AS (
        SELECT ('x' || encode(substring(packed FROM place + 1 FOR 8), 'hex'))::bit(64)::bigint
                AS value,
            ('x' || encode(substring(packed FROM place + 9 FOR 4), 'hex'))::bit(32)::integer
                AS amount
        FROM generate_series(0, length(packed) - 1, 12) place
    )
    SELECT k.value, k.amount::bigint FROM known k
    UNION ALL
    SELECT NULL, total - coalesce((SELECT sum(k.amount) FROM known k), 0)::bigint;
END;

-- Makes a run of the runs of the level below that it covers.
--
-- What the cells of all kinds of fact have in common: `amount` is what is summed up, a column of bytes
-- the values that it is made of, `at` the earliest instant, and every other column tells cells apart.
CREATE FUNCTION merge_ledger_runs(after_position bigint, to_position bigint, of_level smallint)
RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    parts CONSTANT integer[] := ARRAY(
        SELECT r.run FROM ledger_runs r
        WHERE r.level = of_level - 1 AND r.from_position >= after_position
            AND r.to_position <= merge_ledger_runs.to_position);
    number integer;
    cells record;
BEGIN
    INSERT INTO ledger_runs (from_position, to_position, level)
    VALUES (after_position, to_position, of_level) RETURNING run INTO number;
    FOR cells IN
        SELECT t.name,
            string_agg(quote_ident(a.attname), ', ')
                FILTER (WHERE a.attname NOT IN ('run', 'amount', 'at')
                    AND a.atttypid <> 'bytea'::regtype) AS keys,
            min(quote_ident(a.attname)) FILTER (WHERE a.atttypid = 'bytea'::regtype) AS packed,
            bool_or(a.attname = 'at') AS has_earliest
        FROM (SELECT DISTINCT s.cells AS name FROM ledger_sums s) t
        JOIN pg_attribute a ON a.attrelid = t.name::regclass
            AND a.attnum > 0 AND NOT a.attisdropped
        GROUP BY t.name
    LOOP
        EXECUTE format(
            CASE
                WHEN cells.has_earliest THEN
                    'INSERT INTO %1$I (%2$s, run, at)
                    SELECT %2$s, $1, min(c.at) FROM %1$I c WHERE c.run = ANY ($2) GROUP BY %2$s'
                WHEN cells.packed IS NOT NULL THEN
                    'INSERT INTO %1$I (%2$s, run, amount, %3$s)
                    SELECT %2$s, $1, sum(m.count), coalesce(
                        string_agg(
                            int8send(m.value) || int4send(m.count::integer), ''''
                            ORDER BY m.value) FILTER (WHERE m.value IS NOT NULL),
                        '''')
                    FROM (
                        SELECT %2$s, p.value, sum(p.amount) AS count
                        FROM %1$I c CROSS JOIN LATERAL packed_values(c.amount, c.%3$s) p
                        WHERE c.run = ANY ($2)
                        GROUP BY %2$s, p.value HAVING sum(p.amount) <> 0
                    ) m
                    GROUP BY %2$s'
                ELSE
                    'INSERT INTO %1$I (%2$s, run, amount)
                    SELECT %2$s, $1, sum(c.amount) FROM %1$I c WHERE c.run = ANY ($2)
                    GROUP BY %2$s HAVING sum(c.amount) <> 0'
            END, cells.name, cells.keys, cells.packed)
        USING number, parts;
    END LOOP;
END
$$;

DROP FUNCTION add_ledger_run(bigint, bigint, smallint);

-- Makes a run of the rows that no run covers yet, up to a position that is settled, and longer runs of
-- the shorter ones where there are enough.
CREATE OR REPLACE FUNCTION extend_ledger_runs(to_position bigint) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    -- More make fewer levels, and more runs that a question has to read.
    runs_of_next CONSTANT integer := 4;
    last CONSTANT bigint := (SELECT coalesce(max(r.to_position), 0) FROM ledger_runs r);
    of_level smallint := 0;
    number integer;
    sums ledger_sums;
    due record;
BEGIN
    IF to_position <= last THEN
        RETURN;
    END IF;
    INSERT INTO ledger_runs (from_position, to_position, level)
    VALUES (last, to_position, of_level) RETURNING run INTO number;
    FOR sums IN SELECT * FROM ledger_sums LOOP
        EXECUTE format('INSERT INTO %I SELECT * FROM %I($1, $2, $3)', sums.cells, sums.summed_by)
        USING number, last, to_position;
    END LOOP;
    LOOP
        SELECT min(r.from_position) AS from_position, max(r.to_position) AS to_position,
            count(*) AS count
        INTO due
        FROM ledger_runs r
        WHERE r.level = of_level AND r.from_position >= (
            SELECT coalesce(max(n.to_position), 0) FROM ledger_runs n
            WHERE n.level = of_level + 1);
        EXIT WHEN due.count < runs_of_next;
        of_level := of_level + 1;
        PERFORM merge_ledger_runs(due.from_position, due.to_position, of_level);
    END LOOP;
END
$$;

REVOKE EXECUTE ON FUNCTION merge_ledger_runs(bigint, bigint, smallint) FROM PUBLIC;
