-- What counts, as rows that are only ever added: a figure is a sum over them, and what was known
-- at an earlier position is the sum of the rows up to it. Corrections take back what was counted
-- and count anew, each at its own position; no figure is ever overwritten.
--
-- The rows are written by triggers, so that each path by which a fact changes is counted, in the
-- transaction of the change. Times are kept by the quarter hour in UTC, of which the local days
-- and hours of every time zone are made.
--
-- Ten years of rows are too many to sum up for each question. So they are summed up in *runs*: a
-- run covers the positions of a half-open interval, and its *cells* are the sums of the rows in it
-- by local month and a few dimensions. Runs never change once they are there. What was known at a
-- position is the sum of the runs up to it (ledger_chain says which) and of the few rows behind
-- their end. How a further kind of fact joins stands at ledger_sums.

CREATE FUNCTION quarter_hour(instant timestamptz) RETURNS timestamptz
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN date_bin('15 minutes', instant, '2000-01-01T00:00:00Z');

-- Which release of the time zone database this server reads, such as 2025b; NULL where it cannot be
-- known: the server brings its own copy, which does not say; the owner may not read the system's; or
-- that has changed since the server started, whose sessions may still have the one before.
CREATE FUNCTION time_zone_release() RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    directory text;
BEGIN
    SELECT substring(c.setting FROM '--with-system-tzdata=([^'' ]+)') INTO directory
    FROM pg_config() c WHERE c.name = 'CONFIGURE';
    IF (pg_stat_file(directory || '/tzdata.zi', true)).change < pg_postmaster_start_time() THEN
        RETURN substring(
            pg_read_file(directory || '/tzdata.zi', 0, 100) FROM '^# version ([0-9a-z]+)');
    END IF;
    RETURN NULL;
EXCEPTION WHEN insufficient_privilege THEN
    RETURN NULL;
END
$$;
REVOKE EXECUTE ON FUNCTION time_zone_release() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION time_zone_release() TO leitstand;

-- What the zone is, as this session has it: SHA-256 of a line for 1970-01-01T00:00:00Z and one for
-- each first quarter of an hour with another offset until 2100, each `YYYY-MM-DDTHH:MM:SSZ SECONDS`
-- and a line feed. It is kept in the session, which keeps the zone too.
CREATE FUNCTION time_zone_fingerprint(zone text) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
    setting CONSTANT text := 'leitstand.zone_' || md5(zone);
    fingerprint text := nullif(current_setting(setting, true), '');
    described text := '';
    change record;
    before timestamptz;
    middle timestamptz;
BEGIN
    IF fingerprint IS NOT NULL THEN
        RETURN fingerprint;
    END IF;
    -- No zone has ever changed twice within five days.
    FOR change IN
        SELECT * FROM (
            SELECT s.at, s.east, lag(s.east) OVER (ORDER BY s.at) AS was
            FROM (
                SELECT d.at, d.at AT TIME ZONE zone - d.at AT TIME ZONE 'UTC' AS east
                FROM generate_series('1970-01-01T00:00:00Z'::timestamptz, '2100-01-01T00:00:00Z',
                    interval '120 hours') d (at)
            ) s
        ) s
        WHERE s.was IS DISTINCT FROM s.east
        ORDER BY s.at
    LOOP
        before := change.at - interval '120 hours';
        WHILE change.was IS NOT NULL AND change.at - before > interval '15 minutes' LOOP
            middle := date_bin('15 minutes', before + (change.at - before) / 2, before);
            IF middle AT TIME ZONE zone - middle AT TIME ZONE 'UTC' = change.was THEN
                before := middle;
            ELSE
                change.at := middle;
            END IF;
        END LOOP;
        described := described
            || to_char(change.at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') || ' '
            || extract(epoch FROM change.east)::int || chr(10);
    END LOOP;
    fingerprint := encode(sha256(convert_to(described, 'UTF8')), 'hex');
    PERFORM set_config(setting, fingerprint, false);
    RETURN fingerprint;
END
$$;

-- A matter counts on its own day, once, however many units came.
CREATE TABLE incident_ledger (
    site text NOT NULL,
    ordinal bigint GENERATED ALWAYS AS IDENTITY,
    -- 1: from here on it counts so; -1: and no longer so.
    amount smallint NOT NULL CHECK (amount IN (-1, 1)),
    change bigint NOT NULL,
    -- Of the change; NULL until settle_ledger has looked it up. A run has only rows that know it.
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
-- For the rows of a run, and those that no run covers yet.
CREATE INDEX incident_ledger_by_position ON incident_ledger (position);

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
CREATE INDEX intervention_ledger_by_position ON intervention_ledger (position);

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

-- Intervals of positions, (from, to], of which the ledgers are summed up. Those of one level follow
-- each other without a gap from 0 on. Sixteen of a level are one of the next; they stay, since what
-- was known at a position inside the longer one is made of them.
CREATE TABLE ledger_runs (
    from_position bigint NOT NULL CHECK (from_position >= 0),
    to_position bigint NOT NULL,
    level smallint NOT NULL CHECK (level >= 0),
    run integer GENERATED ALWAYS AS IDENTITY UNIQUE,
    PRIMARY KEY (from_position, to_position),
    CHECK (from_position < to_position)
);
GRANT SELECT ON ledger_runs TO leitstand;

-- The functions that sum rows up, and the tables that take their sums. A kind of fact joins by a
-- table of rows with `site`, `change` and `position` as above and an index by position; by tables of
-- cells whose columns begin with `site` and have `run`; and by functions
-- `(run integer, after_position bigint, to_position bigint) RETURNS SETOF <cells>` that sum up the
-- rows of (after, to]: each in a row here. Rows that cancel each other out must leave no cell.
-- Several functions may fill one table. Then settle_ledger settles its rows, roll_up_ledger fills its
-- cells, and ledger_cell_differences compares the two.
CREATE TABLE ledger_sums (
    summed_by text PRIMARY KEY,
    cells text NOT NULL,
    ledger text NOT NULL
);
GRANT SELECT ON ledger_sums TO leitstand;

-- The runs that make up what was known at a position, and the position up to which they reach; the
-- rest is the rows behind that.
CREATE FUNCTION ledger_chain(known_position bigint, OUT runs integer[], OUT until_position bigint)
LANGUAGE plpgsql STABLE AS $$
DECLARE
    next ledger_runs;
BEGIN
    runs := '{}';
    until_position := 0;
    LOOP
        SELECT * INTO next FROM ledger_runs r
        WHERE r.from_position = until_position AND r.to_position <= known_position
        ORDER BY r.to_position DESC LIMIT 1;
        EXIT WHEN NOT FOUND;
        runs := runs || next.run;
        until_position := next.to_position;
    END LOOP;
END
$$;

-- Notes with each row the position of its change, which was not known yet when it was written. It
-- adds nothing that positions do not say already, and until it has run questions look there. The
-- runtime role may change no row, so this runs with the owner's rights. Returns the position up to
-- which every row knows its own.
CREATE FUNCTION settle_ledger() RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    -- Whatever has one of these positions is committed, and no row of them can appear later.
    last CONSTANT bigint := (SELECT coalesce(max(position), 0) FROM positions);
    name text;
BEGIN
    FOR name IN SELECT DISTINCT ledger FROM ledger_sums LOOP
        EXECUTE format(
            'UPDATE %I l SET position = p.position FROM positions p
            WHERE l.position IS NULL AND p.change = l.change AND p.position <= $1', name)
        USING last;
    END LOOP;
    RETURN last;
END
$$;

CREATE FUNCTION add_ledger_run(after_position bigint, to_position bigint, level smallint)
RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    number integer;
    sums ledger_sums;
BEGIN
    INSERT INTO ledger_runs (from_position, to_position, level)
    VALUES (after_position, to_position, level) RETURNING run INTO number;
    FOR sums IN SELECT * FROM ledger_sums LOOP
        EXECUTE format('INSERT INTO %I SELECT * FROM %I($1, $2, $3)', sums.cells, sums.summed_by)
        USING number, after_position, to_position;
    END LOOP;
END
$$;

-- Makes a run from the last one's end up to a position that is settled, and longer runs of the
-- shorter ones where there are enough.
CREATE FUNCTION extend_ledger_runs(to_position bigint) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    -- More make fewer levels, and more runs that a question has to read.
    runs_of_next CONSTANT integer := 16;
    last bigint := (SELECT coalesce(max(r.to_position), 0) FROM ledger_runs r);
    of_level smallint := 0;
    due record;
BEGIN
    IF to_position <= last THEN
        RETURN;
    END IF;
    PERFORM add_ledger_run(last, to_position, of_level);
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
        PERFORM add_ledger_run(due.from_position, due.to_position, of_level);
    END LOOP;
END
$$;

-- Settles the ledgers, and sums them up once enough rows, or old ones, are behind the last run. Any
-- instance may call it; one at a time is enough.
CREATE FUNCTION roll_up_ledger() RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    -- A question reads as many rows one by one without feeling it.
    rows_min CONSTANT integer := 2000;
    -- So that a ledger of which little happens costs no more runs than it has days.
    age_min CONSTANT interval := '1 day';
    settled bigint;
    last bigint;
    name text;
    pending bigint := 0;
    oldest bigint;
    more record;
BEGIN
    IF NOT pg_try_advisory_xact_lock(7236011) THEN
        RETURN;
    END IF;
    settled := settle_ledger();
    SELECT coalesce(max(to_position), 0) INTO last FROM ledger_runs;
    FOR name IN SELECT DISTINCT ledger FROM ledger_sums LOOP
        EXECUTE format(
            'SELECT count(*) AS count, min(position) AS oldest
            FROM (SELECT position FROM %I WHERE position > $1 ORDER BY position LIMIT $2) l', name)
        INTO more USING last, rows_min;
        pending := pending + more.count;
        oldest := least(oldest, more.oldest);
    END LOOP;
    IF pending >= rows_min OR EXISTS (
        SELECT FROM positions
        WHERE position = oldest AND recorded_at < clock_timestamp() - age_min)
    THEN
        PERFORM extend_ledger_runs(settled);
    END IF;
END
$$;
REVOKE EXECUTE ON FUNCTION settle_ledger(), add_ledger_run(bigint, bigint, smallint),
    extend_ledger_runs(bigint), roll_up_ledger() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION roll_up_ledger() TO leitstand;

-- The month in which an instant lies for a site.
CREATE FUNCTION local_month(instant timestamptz, zone text) RETURNS date
LANGUAGE sql STABLE PARALLEL SAFE
RETURN date_trunc('month', instant AT TIME ZONE zone)::date;

-- The earliest instant of a kind of fact at a site in the rows of a run, corrected ones too: from its
-- day on the fact counts as recorded.
CREATE TABLE ledger_firsts (
    site text NOT NULL,
    run integer NOT NULL,
    -- `incident`, `intervention`, `automatic` for incidents that alarms made known, or of a ledger
    -- that joins later.
    fact text NOT NULL,
    at timestamptz NOT NULL,
    -- Always read by run, and of all sites at once.
    PRIMARY KEY (run, site, fact)
);
GRANT SELECT ON ledger_firsts TO leitstand;

-- Matters by month, in several cubes: each has the base's dimensions and those of its name, so that
-- a question reads the one with the fewest cells. What a cube does not part by is NULL in it.
CREATE TABLE incident_cells (
    site text NOT NULL,
    cube text NOT NULL
        CHECK (cube IN ('base', 'recognition', 'area', 'subcategory', 'pattern', 'outcome')),
    run integer NOT NULL,
    month date NOT NULL,
    operating_mode text NOT NULL,
    retracted boolean NOT NULL,
    immediate boolean NOT NULL,
    category text NOT NULL,
    source text,
    -- Of `recognition` and `area`.
    monitored boolean,
    area uuid,
    subcategory text,
    pattern text,
    outcomes text[],
    amount bigint NOT NULL
);
GRANT SELECT ON incident_cells TO leitstand;
-- A question reads some runs of a site, ledger_cell_differences one run of all sites.
CREATE INDEX incident_cells_by_run ON incident_cells (run, cube, site, month);

-- How long it took until the first unit arrived, for matters with an intervention.
CREATE TABLE incident_arrival_cells (
    site text NOT NULL,
    cube text NOT NULL CHECK (cube IN ('base', 'matter', 'area')),
    run integer NOT NULL,
    month date NOT NULL,
    operating_mode text NOT NULL,
    retracted boolean NOT NULL,
    category text,
    source text,
    monitored boolean,
    area uuid,
    -- All, also those of which no arrival is known.
    amount bigint NOT NULL,
    -- The known ones by their seconds: int8send of the seconds and int4send of the amount, one pair
    -- behind the other. As rows of their own they would be about as many as there are matters.
    arrivals bytea NOT NULL
);
-- Compressing saves little, and would be undone for each question.
ALTER TABLE incident_arrival_cells ALTER arrivals SET STORAGE EXTERNAL;
GRANT SELECT ON incident_arrival_cells TO leitstand;
CREATE INDEX incident_arrival_cells_by_run
    ON incident_arrival_cells (run, cube, site, month);

CREATE TABLE intervention_cells (
    site text NOT NULL,
    cube text NOT NULL
        CHECK (cube IN ('base', 'recognition', 'area', 'subcategory', 'pattern', 'precinct')),
    run integer NOT NULL,
    month date NOT NULL,
    operating_mode text NOT NULL,
    retracted boolean NOT NULL,
    cancelled boolean NOT NULL,
    immediate boolean NOT NULL,
    category text NOT NULL,
    source text,
    monitored boolean,
    area uuid,
    subcategory text,
    pattern text,
    precinct text,
    amount bigint NOT NULL
);
GRANT SELECT ON intervention_cells TO leitstand;
CREATE INDEX intervention_cells_by_run ON intervention_cells (run, cube, site, month);

CREATE TABLE intervention_arrival_cells (
    site text NOT NULL,
    cube text NOT NULL CHECK (cube IN ('base', 'matter', 'area')),
    run integer NOT NULL,
    month date NOT NULL,
    operating_mode text NOT NULL,
    retracted boolean NOT NULL,
    cancelled boolean NOT NULL,
    category text,
    source text,
    monitored boolean,
    area uuid,
    amount bigint NOT NULL,
    arrivals bytea NOT NULL
);
ALTER TABLE intervention_arrival_cells ALTER arrivals SET STORAGE EXTERNAL;
GRANT SELECT ON intervention_arrival_cells TO leitstand;
CREATE INDEX intervention_arrival_cells_by_run
    ON intervention_arrival_cells (run, cube, site, month);

CREATE FUNCTION sum_incident_firsts(run integer, after_position bigint, to_position bigint)
RETURNS SETOF ledger_firsts
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT l.site, run, f.fact, min(l.occurred_in)
    FROM incident_ledger l
    JOIN (VALUES ('incident'), ('automatic')) f (fact)
        ON f.fact = 'incident' OR l.source = 'automatic'
    WHERE l.position > after_position AND l.position <= to_position
    GROUP BY l.site, f.fact;
END;

CREATE FUNCTION sum_intervention_firsts(run integer, after_position bigint, to_position bigint)
RETURNS SETOF ledger_firsts
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT l.site, run, 'intervention', min(l.dispatched_in)
    FROM intervention_ledger l
    WHERE l.position > after_position AND l.position <= to_position
    GROUP BY l.site;
END;

CREATE FUNCTION sum_incidents(run integer, after_position bigint, to_position bigint)
RETURNS SETOF incident_cells
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT r.site,
        CASE
            WHEN grouping(r.source) = 0 THEN 'recognition'
            WHEN grouping(r.area) = 0 THEN 'area'
            WHEN grouping(r.subcategory) = 0 THEN 'subcategory'
            WHEN grouping(r.pattern) = 0 THEN 'pattern'
            WHEN grouping(r.outcomes) = 0 THEN 'outcome'
            ELSE 'base'
        END,
        run, r.month, r.operating_mode, r.retracted, r.immediate, r.category, r.source,
        r.monitored, r.area, r.subcategory, r.pattern, r.outcomes, sum(r.amount)
    FROM (
        SELECT l.*, local_month(l.occurred_in, s.time_zone) AS month
        FROM incident_ledger l JOIN sites s ON s.id = l.site
        WHERE l.position > after_position AND l.position <= to_position
    ) r
    GROUP BY r.site, r.month, r.operating_mode, r.retracted, r.immediate, r.category,
        GROUPING SETS (
            (), (r.source, r.monitored), (r.area, r.monitored), (r.subcategory), (r.pattern),
            (r.outcomes))
    HAVING sum(r.amount) <> 0;
END;

CREATE FUNCTION sum_incident_arrivals(run integer, after_position bigint, to_position bigint)
RETURNS SETOF incident_arrival_cells
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT c.site, c.cube, run, c.month, c.operating_mode, c.retracted, c.category, c.source,
        c.monitored, c.area, sum(c.amount)::bigint,
        coalesce(
            string_agg(
                int8send(c.arrival_seconds) || int4send(c.amount::integer), ''
                ORDER BY c.arrival_seconds) FILTER (WHERE c.arrival_seconds IS NOT NULL),
            '')
    FROM (
        SELECT r.site, r.month, r.operating_mode, r.retracted, r.category, r.source, r.monitored,
            r.area, r.arrival_seconds, sum(r.amount) AS amount,
            CASE
                WHEN grouping(r.category) = 0 THEN 'matter'
                WHEN grouping(r.area) = 0 THEN 'area'
                ELSE 'base'
            END AS cube
        FROM (
            SELECT l.*, local_month(l.occurred_in, s.time_zone) AS month
            FROM incident_ledger l JOIN sites s ON s.id = l.site
            WHERE l.position > after_position AND l.position <= to_position AND l.intervened
        ) r
        GROUP BY r.site, r.month, r.operating_mode, r.retracted, r.arrival_seconds,
            GROUPING SETS ((), (r.category, r.source, r.monitored), (r.area, r.monitored))
        HAVING sum(r.amount) <> 0
    ) c
    GROUP BY c.site, c.cube, c.month, c.operating_mode, c.retracted, c.category, c.source,
        c.monitored, c.area;
END;

CREATE FUNCTION sum_interventions(run integer, after_position bigint, to_position bigint)
RETURNS SETOF intervention_cells
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT r.site,
        CASE
            WHEN grouping(r.source) = 0 THEN 'recognition'
            WHEN grouping(r.area) = 0 THEN 'area'
            WHEN grouping(r.subcategory) = 0 THEN 'subcategory'
            WHEN grouping(r.pattern) = 0 THEN 'pattern'
            WHEN grouping(r.precinct) = 0 THEN 'precinct'
            ELSE 'base'
        END,
        run, r.month, r.operating_mode, r.retracted, r.cancelled, r.immediate, r.category,
        r.source, r.monitored, r.area, r.subcategory, r.pattern, r.precinct, sum(r.amount)
    FROM (
        SELECT l.*, local_month(l.dispatched_in, s.time_zone) AS month
        FROM intervention_ledger l JOIN sites s ON s.id = l.site
        WHERE l.position > after_position AND l.position <= to_position
    ) r
    GROUP BY r.site, r.month, r.operating_mode, r.retracted, r.cancelled, r.immediate, r.category,
        GROUPING SETS (
            (), (r.source, r.monitored), (r.area, r.monitored), (r.subcategory), (r.pattern),
            (r.precinct))
    HAVING sum(r.amount) <> 0;
END;

CREATE FUNCTION sum_intervention_arrivals(run integer, after_position bigint, to_position bigint)
RETURNS SETOF intervention_arrival_cells
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT c.site, c.cube, run, c.month, c.operating_mode, c.retracted, c.cancelled, c.category,
        c.source, c.monitored, c.area, sum(c.amount)::bigint,
        coalesce(
            string_agg(
                int8send(c.arrival_seconds) || int4send(c.amount::integer), ''
                ORDER BY c.arrival_seconds) FILTER (WHERE c.arrival_seconds IS NOT NULL),
            '')
    FROM (
        SELECT r.site, r.month, r.operating_mode, r.retracted, r.cancelled, r.category, r.source,
            r.monitored, r.area, r.arrival_seconds, sum(r.amount) AS amount,
            CASE
                WHEN grouping(r.category) = 0 THEN 'matter'
                WHEN grouping(r.area) = 0 THEN 'area'
                ELSE 'base'
            END AS cube
        FROM (
            SELECT l.*, local_month(l.dispatched_in, s.time_zone) AS month
            FROM intervention_ledger l JOIN sites s ON s.id = l.site
            WHERE l.position > after_position AND l.position <= to_position
        ) r
        GROUP BY r.site, r.month, r.operating_mode, r.retracted, r.cancelled, r.arrival_seconds,
            GROUPING SETS ((), (r.category, r.source, r.monitored), (r.area, r.monitored))
        HAVING sum(r.amount) <> 0
    ) c
    GROUP BY c.site, c.cube, c.month, c.operating_mode, c.retracted, c.cancelled, c.category,
        c.source, c.monitored, c.area;
END;

INSERT INTO ledger_sums (summed_by, cells, ledger) VALUES
    ('sum_incidents', 'incident_cells', 'incident_ledger'),
    ('sum_incident_arrivals', 'incident_arrival_cells', 'incident_ledger'),
    ('sum_incident_firsts', 'ledger_firsts', 'incident_ledger'),
    ('sum_interventions', 'intervention_cells', 'intervention_ledger'),
    ('sum_intervention_arrivals', 'intervention_arrival_cells', 'intervention_ledger'),
    ('sum_intervention_firsts', 'ledger_firsts', 'intervention_ledger');

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

-- The cells that are not the sums of their run's rows. `subject`: the positions of the run, from and
-- to; `amount`: +1 for what is there and should not be, -1 for what is missing.
CREATE FUNCTION ledger_cell_differences()
RETURNS TABLE (
    kind text, site text, subject text, known_position bigint, fact text, amount bigint)
LANGUAGE plpgsql STABLE AS $$
DECLARE
    filled record;
    covered ledger_runs;
BEGIN
    FOR filled IN
        SELECT s.cells, string_agg(
            format('SELECT * FROM %I($1, $2, $3)', s.summed_by), ' UNION ALL ') AS sums
        FROM ledger_sums s GROUP BY s.cells ORDER BY s.cells
    LOOP
        FOR covered IN SELECT * FROM ledger_runs ORDER BY from_position, to_position LOOP
            RETURN QUERY EXECUTE format(
                'SELECT $4::text, c.site, $5::text, $3::bigint, c.cell::text,
                    sum(c.amount)::bigint
                FROM (
                    SELECT kept.site, to_jsonb(kept) AS cell, 1 AS amount
                    FROM %I kept WHERE kept.run = $1
                    UNION ALL SELECT summed.site, to_jsonb(summed), -1 FROM (%s) summed
                ) c
                GROUP BY c.site, c.cell HAVING sum(c.amount) <> 0
                ORDER BY c.site, c.cell', filled.cells, filled.sums)
            USING covered.run, covered.from_position, covered.to_position, filled.cells,
                format('(%s, %s]', covered.from_position, covered.to_position);
        END LOOP;
    END LOOP;
END
$$;
