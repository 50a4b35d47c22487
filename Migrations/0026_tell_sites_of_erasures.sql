-- Journals an erasure at the site whose text or name it was, whoever did it. It stood at the eraser's,
-- which is none for an administrator of all sites, so that neither the site's dashboards nor its
-- auditor were told of it. And it forgets the requests that are known again in which the erased texts
-- came: a salted digest tells whoever guesses a text whether they are right.
CREATE OR REPLACE FUNCTION erase(
    kind text, id uuid, site text, erasure uuid, remark uuid, reason text, actor uuid, role text,
    request_id text, erased_at timestamptz
) RETURNS json
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
<<erasing>>
DECLARE
    erased bigint := 0;
    more bigint;
    -- Whose it was; an administrator of all sites erases what belongs to one.
    owner text := site;
    why remarks;
    change bigint;
    document json;
BEGIN
    CASE kind
    WHEN 'remark' THEN
        SELECT coalesce(r.site, owner) INTO owner FROM remarks r
        WHERE r.id = erase.id AND (erase.site IS NULL OR r.site = erase.site);
        IF NOT FOUND THEN
            RETURN NULL;
        END IF;
        UPDATE remarks r SET text = NULL, salt = NULL
        WHERE r.id = erase.id AND r.text IS NOT NULL;
        GET DIAGNOSTICS erased = ROW_COUNT;
    WHEN 'remarks' THEN
        SELECT coalesce(j.site, owner) INTO owner FROM journal j
        WHERE j.subject = erase.id::text AND (erase.site IS NULL OR j.site = erase.site)
        LIMIT 1;
        IF NOT FOUND THEN
            RETURN NULL;
        END IF;
        UPDATE remarks r SET text = NULL, salt = NULL
        WHERE r.text IS NOT NULL AND (erase.site IS NULL OR r.site = erase.site) AND r.id IN (
            SELECT j.remark FROM journal j WHERE j.subject = erase.id::text
            -- Also what stood in a document once and has been replaced since.
            UNION SELECT m.remark FROM journal j CROSS JOIN LATERAL remarks_in(j.document) m
            WHERE j.subject = erase.id::text);
        GET DIAGNOSTICS erased = ROW_COUNT;
        UPDATE accesses a SET reason = NULL
        WHERE a.subject = erase.id::text AND (erase.site IS NULL OR a.site = erase.site)
            AND a.reason IS NOT NULL;
        GET DIAGNOSTICS more = ROW_COUNT;
        erased := erased + more;
    WHEN 'staff' THEN
        SELECT coalesce(t.site, owner) INTO owner FROM tokens t
        WHERE t.id = erase.id AND (erase.site IS NULL OR t.site = erase.site);
        IF NOT FOUND THEN
            RETURN NULL;
        END IF;
        UPDATE tokens t SET name = NULL WHERE t.id = erase.id AND t.name IS NOT NULL;
        GET DIAGNOSTICS erased = ROW_COUNT;
    END CASE;

    IF kind <> 'staff' THEN
        DELETE FROM remembered_requests r WHERE r.change IN (
            SELECT j.change FROM journal j
            WHERE j.change IN (SELECT k.change FROM remembered_requests k)
                AND (j.subject = erase.id::text OR j.remark = erase.id
                    OR EXISTS (SELECT FROM remarks_in(j.document) m WHERE m.remark = erase.id)));
    END IF;

    why := ROW(remark, owner, uuid_send(gen_random_uuid()), reason);
    change := nextval('changes');
    document := json_build_object(
        'kind', erase.kind, 'id', erase.id, 'erased', erased, 'erased_at', rfc3339(erased_at));
    INSERT INTO remarks SELECT why.*;
    -- A subject of its own: the history of what was erased tells of that alone.
    INSERT INTO journal (change, ordinal, event, site, subject, occurred_at, actor, role, remark,
        remark_hash, request_id, document)
    VALUES (erasing.change, 1, 'erasure.completed', owner, erasure, erased_at, erase.actor,
        erase.role, why.id, sha256(why.salt || convert_to(why.text, 'UTF8')), erase.request_id,
        erasing.document);
    PERFORM append_position(change);
    RETURN document;
END
$$;
