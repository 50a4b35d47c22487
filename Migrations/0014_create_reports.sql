-- Answers to inquiries, frozen: what a report says never changes, whatever the record learns later.

-- The public keys by which reports were ever signed, so that each can be checked when the server has
-- another by then.
CREATE TABLE report_keys (
    -- SHA-256 of the key's DER.
    id bytea PRIMARY KEY CHECK (octet_length(id) = 32),
    -- PEM.
    public_key text NOT NULL,
    first_used_at timestamptz NOT NULL
);
GRANT SELECT, INSERT ON report_keys TO leitstand;

CREATE TABLE reports (
    id uuid PRIMARY KEY,
    -- NULL: of all sites.
    site text REFERENCES sites,
    title text NOT NULL,
    reference text NOT NULL,
    stand text NOT NULL,
    -- What all its figures know.
    position bigint NOT NULL,
    -- The canonical form, byte by byte: what was hashed and signed.
    content bytea NOT NULL,
    hash bytea NOT NULL CHECK (octet_length(hash) = 32),
    signature bytea NOT NULL CHECK (octet_length(signature) = 64),
    key bytea NOT NULL REFERENCES report_keys (id),
    frozen_at timestamptz NOT NULL,
    -- NULL: from the command line.
    frozen_by uuid
);
GRANT SELECT, INSERT ON reports TO leitstand;
-- The list is newest first and pages by (frozen_at, id); of all sites, and of one.
CREATE INDEX reports_by_age ON reports (frozen_at, id);
CREATE INDEX reports_by_site ON reports (site, frozen_at, id);
CREATE INDEX reports_by_reference ON reports (reference, frozen_at, id);

-- A second person has read the report and lets it go out; until then it is a draft.
CREATE TABLE report_releases (
    report uuid PRIMARY KEY REFERENCES reports (id),
    released_at timestamptz NOT NULL,
    released_by uuid NOT NULL
);
GRANT SELECT, INSERT ON report_releases TO leitstand;

-- Without the words that persons wrote: the journal keeps this document.
CREATE FUNCTION report_document(report reports) RETURNS json
LANGUAGE sql STABLE
RETURN json_build_object(
    'id', report.id,
    'site', report.site,
    'position', report.position,
    'sha256', encode(report.hash, 'hex'),
    'key', encode(report.key, 'hex'),
    'frozen_at', rfc3339(report.frozen_at),
    'frozen_by', CASE WHEN report.frozen_by IS NOT NULL
        THEN json_build_object('token', report.frozen_by) END,
    'released_at', (
        SELECT rfc3339(r.released_at) FROM report_releases r WHERE r.report = report.id),
    'released_by', (
        SELECT json_build_object('token', r.released_by) FROM report_releases r
        WHERE r.report = report.id));

-- With them: what the list shows.
CREATE FUNCTION report_summary(report reports) RETURNS json
LANGUAGE sql STABLE
RETURN (jsonb_build_object(
    'title', report.title,
    'reference', report.reference,
    'stand', report.stand) || with_staff_names(report_document(report))::jsonb)::json;
