-- The spine that everything else hangs on: who may do what in the database, the journal of all
-- changes, and the position that puts those changes into commit order.

-- Two roles. The owner runs the migrations; the runtime role serves requests, owns nothing and
-- can neither change nor remove what has been recorded. A role belongs to the whole cluster:
-- another database's migration may create it at the same moment, or an administrator before.
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'leitstand') THEN
        CREATE ROLE leitstand NOLOGIN;
    END IF;
EXCEPTION
    WHEN duplicate_object OR unique_violation THEN NULL;
END
$$;
-- Whoever connects as the owner takes the runtime role to serve requests, unless that role logs
-- in by itself; then the owner may neither have it nor be able to give it.
DO $$
BEGIN
    IF NOT pg_has_role(current_user, 'leitstand', 'MEMBER') THEN
        EXECUTE format('GRANT leitstand TO %I', current_user);
    END IF;
EXCEPTION
    WHEN insufficient_privilege THEN NULL;
END
$$;

GRANT USAGE ON SCHEMA public TO leitstand;

-- RFC 3339 in UTC with microseconds: the one form in which times leave the server.
CREATE FUNCTION rfc3339(instant timestamptz) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
RETURN to_char(instant AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"');

-- Numbers the transactions that change something. Rows refer to their change; the position of a
-- change is known only when it commits.
CREATE SEQUENCE changes;
GRANT USAGE ON SEQUENCE changes TO leitstand;

-- The order in which changes became visible: gapless, and never reordered by a slow writer.
CREATE TABLE positions (
    position bigint PRIMARY KEY,
    change bigint NOT NULL UNIQUE,
    recorded_at timestamptz NOT NULL
);
GRANT SELECT, INSERT ON positions TO leitstand;

-- The last statement before COMMIT. The lock is held until the transaction is visible, so the
-- next position is taken only then: a reader that has seen position n has seen all before it.
CREATE FUNCTION append_position(change bigint) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
    last positions;
    appended bigint;
BEGIN
    PERFORM pg_advisory_xact_lock(7236001);
    SELECT * INTO last FROM positions ORDER BY position DESC LIMIT 1;
    INSERT INTO positions (position, change, recorded_at)
    VALUES (
        coalesce(last.position, 0) + 1,
        append_position.change,
        -- The clock may be set back; positions and times must not disagree.
        greatest(clock_timestamp(), last.recorded_at + interval '1 microsecond'))
    RETURNING position INTO appended;
    RETURN appended;
END
$$;

-- Free text that a person wrote. It can be erased; the journal keeps only its id and salted hash.
CREATE TABLE remarks (
    id uuid PRIMARY KEY,
    site text,
    salt bytea NOT NULL,
    text text NOT NULL
);
GRANT SELECT, INSERT ON remarks TO leitstand;

-- One row per change of anything, with the document as it was after the change.
-- History, live stream and as-of questions read nothing else.
CREATE TABLE journal (
    change bigint NOT NULL,
    ordinal integer NOT NULL,
    event text NOT NULL,
    site text,
    -- The id of what changed: a UUID, or a site's slug.
    subject text NOT NULL,
    -- When it happened by the clock of whoever did it; recorded_at of the position is ours.
    occurred_at timestamptz NOT NULL,
    -- The token that acted; its name may be erased, this id stays. NULL: the server itself.
    actor uuid,
    role text,
    reason text,
    remark uuid,
    remark_hash bytea,
    request_id text,
    document json NOT NULL,
    PRIMARY KEY (change, ordinal)
);
GRANT SELECT, INSERT ON journal TO leitstand;

-- The history of one alarm.
CREATE INDEX journal_by_subject ON journal (subject, change, ordinal);
