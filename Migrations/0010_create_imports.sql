-- Histories from before, taken over from other systems.

-- Each import that took something over, written once, as the last of its transaction.
CREATE TABLE imports (
    site text NOT NULL REFERENCES sites,
    id uuid NOT NULL UNIQUE,
    format text NOT NULL CHECK (format IN ('csv', 'ndjson')),
    -- SHA-256 of the file as it was sent.
    file_hash bytea NOT NULL,
    -- Whether lines that were refused did not keep the others from being taken.
    partial boolean NOT NULL,
    -- The file's lines are as many as these four together.
    incident_count bigint NOT NULL,
    intervention_count bigint NOT NULL,
    -- Taken over by an earlier import, or by an earlier line.
    known_count bigint NOT NULL,
    refused_count bigint NOT NULL,
    -- NULL: from the command line.
    imported_by uuid,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (site, id)
);
GRANT SELECT, INSERT ON imports TO leitstand;
-- The list is newest first and pages by (created_at, id).
CREATE INDEX imports_by_age ON imports (site, created_at, id);

-- What was taken over under which key of the source: a file that comes again adds nothing, and a
-- key stands for one matter only.
CREATE TABLE imported_rows (
    site text NOT NULL,
    kind text NOT NULL CHECK (kind IN ('incident', 'intervention')),
    key text NOT NULL,
    -- SHA-256 of what the line says, however it is written. Where a person wrote some of it, once more
    -- with the salt of that text before it: when the text is erased, nothing can confirm a guess.
    content_hash bytea NOT NULL,
    -- Without a foreign key: the import's own row, with its counts, is written last.
    import uuid NOT NULL,
    line bigint NOT NULL,
    subject uuid NOT NULL,
    -- What a person wrote in the line: an incident's note, or why an arrival is so late.
    remark uuid REFERENCES remarks (id),
    PRIMARY KEY (site, kind, key)
);
GRANT SELECT, INSERT ON imported_rows TO leitstand;
-- The journal takes the rows of an import in the order of their lines.
CREATE INDEX imported_rows_by_line ON imported_rows (site, import, line);

CREATE FUNCTION import_document(import imports) RETURNS json
LANGUAGE sql STABLE
RETURN json_build_object(
    'id', import.id,
    'site', import.site,
    'format', import.format,
    'file_hash', encode(import.file_hash, 'hex'),
    'partial', import.partial,
    'lines', import.incident_count + import.intervention_count + import.known_count
        + import.refused_count,
    'incidents', import.incident_count,
    'interventions', import.intervention_count,
    'known', import.known_count,
    'refused', import.refused_count,
    'imported_by',
        CASE WHEN import.imported_by IS NOT NULL
            THEN json_build_object('token', import.imported_by) END,
    'created_at', rfc3339(import.created_at));
