-- Whoever reads the journal reads single alarms and incidents, by whatever they find them: that is an
-- access to these, with the reason that their site wants. It was one only where the journal was asked
-- for one thing, and no reason was wanted. And reports that are read on the command line are read by
-- somebody without a token.

ALTER TABLE accesses
    ALTER actor DROP NOT NULL, ALTER role DROP NOT NULL, ALTER request_id DROP NOT NULL;

-- As before, but for whoever has no token.
CREATE OR REPLACE FUNCTION access_document(access accesses) RETURNS json
LANGUAGE sql STABLE
RETURN json_build_object(
    'id', access.id,
    'site', access.site,
    'accessed_at', rfc3339(access.accessed_at),
    'action', access.action,
    'subject', access.subject,
    'shown', to_json(access.shown),
    'actor', CASE WHEN access.actor IS NOT NULL THEN json_build_object(
        'token', access.actor,
        'name', (SELECT name FROM tokens WHERE tokens.id = access.actor),
        'role', access.role) END,
    'reason', coalesce(
        access.reason,
        (SELECT r.text FROM shifts s JOIN remarks r ON r.id = s.remark
            WHERE s.site = access.site AND s.id = access.shift)),
    'shift', access.shift,
    'request_id', access.request_id);

-- A page of the journal shows up to 500 things.
DROP INDEX accesses_showing;
CREATE INDEX accesses_showing ON accesses USING gin (shown) WHERE shown <> '{}';

-- Those accesses that showed a thing beside their subject. The index can be read in no other way.
CREATE FUNCTION accesses_that_showed(thing uuid) RETURNS SETOF accesses
LANGUAGE sql STABLE SET enable_bitmapscan = on AS $$
    SELECT * FROM accesses a WHERE a.shown <> '{}' AND a.shown @> ARRAY[thing]
$$;

-- Records that somebody reads these rows of the journal, in the log of each row's site; what belongs
-- to none is in the log of all. `asked` is the one thing that all rows are about, or NULL. All of it is
-- recorded or nothing: then a site wants a reason and has none, and it returns the rule (`request` or
-- `shift`) that was not kept.
CREATE FUNCTION log_journal_reading(
    sites text[], subjects text[], asked text, id uuid, actor uuid, role text, reason text,
    request_id text, accessed_at timestamptz
) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
    reading record;
    rule text;
BEGIN
    FOR reading IN
        SELECT s.id AS site, array_remove(array_agg(DISTINCT
            -- Others are of sites, by their names.
            CASE WHEN asked IS NULL AND r.subject ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$'
                THEN r.subject::uuid END), NULL) AS shown
        FROM unnest(log_journal_reading.sites, subjects) AS r (site, subject)
        JOIN sites s ON s.id = coalesce(r.site, s.id)
        GROUP BY s.id ORDER BY s.id
    LOOP
        rule := log_access(
            reading.site, id, 'journal.read', coalesce(asked, reading.site), reading.shown, actor,
            role, reason, request_id, accessed_at);
        IF rule IS NOT NULL THEN
            RAISE SQLSTATE 'LS001';
        END IF;
    END LOOP;
    RETURN NULL;
EXCEPTION
    WHEN SQLSTATE 'LS001' THEN RETURN rule;
END
$$;
