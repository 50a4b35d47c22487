-- Requests that created something, by the name that their sender gave them. When an answer is lost
-- the sender cannot know whether a matter was recorded, and a matter recorded twice is counted twice.
-- They are forgotten after a day.
CREATE TABLE remembered_requests (
    token uuid NOT NULL REFERENCES tokens (id),
    key text NOT NULL,
    -- The first row of this change in the journal tells what was created.
    change bigint NOT NULL,
    -- Tells another request of the same name apart. Salted, since what persons wrote is in it.
    salt bytea NOT NULL,
    digest bytea NOT NULL,
    remembered_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (token, key)
);
GRANT SELECT, INSERT, DELETE ON remembered_requests TO leitstand;
CREATE INDEX remembered_requests_by_age ON remembered_requests (remembered_at);
