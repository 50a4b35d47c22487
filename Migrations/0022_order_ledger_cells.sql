-- A question reads the cells of one cube for some months of a run. They lay scattered among all others
-- of the run, nearly each in a page of its own; and of cameras there was a cell for each day.

-- By what the cells of a run are sought, as SQL: they are kept in this order.
CREATE FUNCTION ledger_cell_order(cells regclass) RETURNS text
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT string_agg(a.attname, ', ' ORDER BY o.place)
    FROM unnest(ARRAY['cube', 'site', 'month']) WITH ORDINALITY o (name, place)
    JOIN pg_attribute a ON a.attrelid = cells AND a.attname = o.name;
END;

-- As before, but in order.
CREATE OR REPLACE FUNCTION merge_ledger_runs(
    after_position bigint, to_position bigint, of_level smallint)
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
            bool_or(a.attname = 'at') AS has_earliest,
            ledger_cell_order(t.name::regclass) AS in_order
        FROM (SELECT DISTINCT s.cells AS name FROM ledger_sums s) t
        JOIN pg_attribute a ON a.attrelid = t.name::regclass
            AND a.attnum > 0 AND NOT a.attisdropped
        GROUP BY t.name
    LOOP
        EXECUTE format(
            CASE
                WHEN cells.has_earliest THEN
                    'INSERT INTO %1$I (%2$s, run, at)
                    SELECT %2$s, $1, min(c.at) FROM %1$I c WHERE c.run = ANY ($2) GROUP BY %2$s
                    ORDER BY %4$s'
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
                    GROUP BY %2$s
                    ORDER BY %4$s'
                ELSE
                    'INSERT INTO %1$I (%2$s, run, amount)
                    SELECT %2$s, $1, sum(c.amount) FROM %1$I c WHERE c.run = ANY ($2)
                    GROUP BY %2$s HAVING sum(c.amount) <> 0
                    ORDER BY %4$s'
            END, cells.name, cells.keys, cells.packed, cells.in_order)
        USING number, parts;
    END LOOP;
END
$$;

-- As before, but in order.
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
        EXECUTE format(
            'INSERT INTO %I SELECT * FROM %I($1, $2, $3) ORDER BY %s',
            sums.cells, sums.summed_by, ledger_cell_order(sums.cells::regclass))
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

-- The cameras of a month by day, packed.
CREATE TEMP TABLE packed_camera_days ON COMMIT DROP AS
    SELECT c.site, c.cube, c.run, c.month, c.analysed, c.area, c.monitored,
        sum(c.amount)::bigint AS amount,
        string_agg(
            int8send(c.day - date '1970-01-01') || int4send(c.amount::integer), ''
            ORDER BY c.day) AS days
    FROM camera_day_cells c
    GROUP BY c.site, c.cube, c.run, c.month, c.analysed, c.area, c.monitored;
DROP FUNCTION sum_camera_days(integer, bigint, bigint);
DROP TABLE camera_day_cells;

CREATE TABLE camera_day_cells (
    site text NOT NULL,
    cube text NOT NULL CHECK (cube IN ('base', 'area')),
    run integer NOT NULL,
    month date NOT NULL,
    analysed boolean NOT NULL,
    area uuid,
    monitored boolean,
    -- Cameras, summed up over days.
    amount bigint NOT NULL,
    -- How many there were on each day, for no sum over a month tells the fewest and the most: int8send
    -- of the days since 1970-01-01 and int4send of the cameras, one pair behind the other.
    days bytea NOT NULL
);
ALTER TABLE camera_day_cells ALTER days SET STORAGE EXTERNAL;
GRANT SELECT ON camera_day_cells TO leitstand;
INSERT INTO camera_day_cells
SELECT p.* FROM packed_camera_days p ORDER BY p.run, p.cube, p.site, p.month;
CREATE INDEX camera_day_cells_by_run ON camera_day_cells (run, cube, site, month);

CREATE FUNCTION sum_camera_days(run integer, after_position bigint, to_position bigint)
RETURNS SETOF camera_day_cells
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT c.site, c.cube, run, c.month, c.analysed, c.area, c.monitored, sum(c.amount)::bigint,
        string_agg(
            int8send(c.day - date '1970-01-01') || int4send(c.amount::integer), ''
            ORDER BY c.day)
    FROM (
        SELECT l.site, CASE WHEN grouping(l.area) = 0 THEN 'area' ELSE 'base' END AS cube,
            date_trunc('month', l.day::timestamp)::date AS month, l.day, l.analysed, l.area,
            l.monitored, sum(l.amount) AS amount
        FROM camera_day_ledger l
        WHERE l.position > after_position AND l.position <= to_position
        GROUP BY l.site, l.day, l.analysed, GROUPING SETS ((), (l.area, l.monitored))
        HAVING sum(l.amount) <> 0
    ) c
    GROUP BY c.site, c.cube, c.month, c.analysed, c.area, c.monitored;
END;
