-- What is watched and by what: sites with their permitted patterns, areas, cameras, nodes; and
-- the tokens of those who ask. Each table carries its site, and each reference contains it, so
-- that no row can ever point into another tenant.

CREATE TABLE sites (
    id text PRIMARY KEY,
    name text NOT NULL,
    time_zone text NOT NULL,
    operating_mode text NOT NULL,
    created_at timestamptz NOT NULL,
    revision bigint NOT NULL DEFAULT 1
);
GRANT SELECT, INSERT, UPDATE ON sites TO leitstand;

-- The patterns that a site's law permits. A legal basis is the site's own text, not our claim.
CREATE TABLE site_patterns (
    site text NOT NULL REFERENCES sites,
    pattern text NOT NULL,
    ordinal integer NOT NULL,
    legal_basis text,
    PRIMARY KEY (site, pattern)
);
GRANT SELECT, INSERT, UPDATE, DELETE ON site_patterns TO leitstand;

CREATE TABLE areas (
    site text NOT NULL REFERENCES sites,
    id uuid NOT NULL UNIQUE,
    name text NOT NULL,
    monitored boolean NOT NULL,
    created_at timestamptz NOT NULL,
    revision bigint NOT NULL DEFAULT 1,
    PRIMARY KEY (site, id)
);
GRANT SELECT, INSERT, UPDATE ON areas TO leitstand;

CREATE TABLE cameras (
    site text NOT NULL,
    id uuid NOT NULL UNIQUE,
    area uuid NOT NULL,
    name text NOT NULL,
    -- The site's own name for the camera, which nodes may use instead of the id.
    key text,
    latitude double precision,
    longitude double precision,
    live_url text,
    created_at timestamptz NOT NULL,
    revision bigint NOT NULL DEFAULT 1,
    PRIMARY KEY (site, id),
    UNIQUE (site, key),
    FOREIGN KEY (site, area) REFERENCES areas (site, id)
);
GRANT SELECT, INSERT, UPDATE ON cameras TO leitstand;

CREATE TABLE nodes (
    site text NOT NULL REFERENCES sites,
    id uuid NOT NULL UNIQUE,
    name text NOT NULL,
    model text NOT NULL,
    created_at timestamptz NOT NULL,
    revision bigint NOT NULL DEFAULT 1,
    PRIMARY KEY (site, id)
);
GRANT SELECT, INSERT, UPDATE ON nodes TO leitstand;

-- Lists are newest first and page by (created_at, id).
CREATE INDEX areas_by_age ON areas (site, created_at, id);
CREATE INDEX cameras_by_age ON cameras (site, created_at, id);
CREATE INDEX nodes_by_age ON nodes (site, created_at, id);

-- Counts the changes of the tables above. Ingest remembers what it resolved together with this
-- number, and reads the number again inside each transaction: what it remembers is never stale.
CREATE TABLE configuration (
    revision bigint NOT NULL
);
INSERT INTO configuration VALUES (1);
GRANT SELECT, UPDATE ON configuration TO leitstand;

CREATE FUNCTION count_configuration_change() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    UPDATE configuration SET revision = revision + 1;
    RETURN NULL;
END
$$;
CREATE TRIGGER configuration_changed AFTER INSERT OR UPDATE ON sites
    FOR EACH STATEMENT EXECUTE FUNCTION count_configuration_change();
CREATE TRIGGER configuration_changed AFTER INSERT OR UPDATE OR DELETE ON site_patterns
    FOR EACH STATEMENT EXECUTE FUNCTION count_configuration_change();
CREATE TRIGGER configuration_changed AFTER INSERT OR UPDATE ON cameras
    FOR EACH STATEMENT EXECUTE FUNCTION count_configuration_change();
CREATE TRIGGER configuration_changed AFTER INSERT OR UPDATE ON nodes
    FOR EACH STATEMENT EXECUTE FUNCTION count_configuration_change();

-- 256 random bits each; only their SHA-256 is kept, so the table is of no use to a thief.
CREATE TABLE tokens (
    id uuid PRIMARY KEY,
    name text NOT NULL,
    role text NOT NULL,
    -- NULL: all sites.
    site text REFERENCES sites,
    node uuid,
    prefix text NOT NULL,
    hash bytea NOT NULL UNIQUE,
    created_at timestamptz NOT NULL,
    expires_at timestamptz,
    revoked_at timestamptz,
    FOREIGN KEY (site, node) REFERENCES nodes (site, id),
    -- PostgreSQL does not check a reference of which a part is NULL.
    CHECK (node IS NULL OR site IS NOT NULL)
);
GRANT SELECT, INSERT ON tokens TO leitstand;
GRANT UPDATE (revoked_at) ON tokens TO leitstand;
CREATE INDEX tokens_by_age ON tokens (created_at, id);

-- The documents: what lists, single reads, the journal and the live stream all show.

CREATE FUNCTION site_document(site sites) RETURNS json
LANGUAGE sql STABLE
RETURN json_build_object(
    'id', site.id,
    'name', site.name,
    'time_zone', site.time_zone,
    'operating_mode', site.operating_mode,
    'patterns', coalesce(
        (SELECT json_agg(
                json_build_object('pattern', pattern, 'legal_basis', legal_basis)
                ORDER BY ordinal)
            FROM site_patterns WHERE site_patterns.site = (site_document.site).id),
        '[]'),
    'created_at', rfc3339(site.created_at));

CREATE FUNCTION area_document(area areas) RETURNS json
LANGUAGE sql STABLE
RETURN json_build_object(
    'id', area.id,
    'site', area.site,
    'name', area.name,
    'monitored', area.monitored,
    'created_at', rfc3339(area.created_at));

CREATE FUNCTION camera_document(camera cameras) RETURNS json
LANGUAGE sql STABLE
RETURN json_build_object(
    'id', camera.id,
    'site', camera.site,
    'area', camera.area,
    'name', camera.name,
    'key', camera.key,
    'latitude', camera.latitude,
    'longitude', camera.longitude,
    'live_url', camera.live_url,
    'created_at', rfc3339(camera.created_at));

CREATE FUNCTION node_document(node nodes) RETURNS json
LANGUAGE sql STABLE
RETURN json_build_object(
    'id', node.id,
    'site', node.site,
    'name', node.name,
    'model', node.model,
    'created_at', rfc3339(node.created_at));

CREATE FUNCTION token_document(token tokens) RETURNS json
LANGUAGE sql STABLE
RETURN json_build_object(
    'id', token.id,
    'name', token.name,
    'role', token.role,
    'site', token.site,
    'node', token.node,
    'prefix', token.prefix,
    'created_at', rfc3339(token.created_at),
    'expires_at', rfc3339(token.expires_at),
    'revoked_at', rfc3339(token.revoked_at));
