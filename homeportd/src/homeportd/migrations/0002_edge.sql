ALTER TABLE tokens ADD COLUMN scope TEXT NOT NULL DEFAULT 'owner' CHECK (scope IN ('owner', 'tunnel'));
ALTER TABLE tokens ADD COLUMN lineage TEXT NOT NULL DEFAULT '';  -- the id of the first of those that replaced one another
ALTER TABLE tokens ADD COLUMN expires_at TEXT;                   -- a rotated token's end
UPDATE tokens SET lineage = id;

-- A name or port of the edge: kept for its lineage for ever (reserved) or until it was away for too long.
CREATE TABLE tunnels (
    id                TEXT PRIMARY KEY,
    kind              TEXT NOT NULL CHECK (kind IN ('http', 'tcp', 'udp')),
    name              TEXT,
    port              INTEGER CHECK (port BETWEEN 1 AND 65535),
    lineage           TEXT,                                -- NULL: of whoever comes first
    reserved          INTEGER NOT NULL CHECK (reserved IN (0, 1)),
    allow             TEXT NOT NULL,                       -- JSON list of CIDR
    bytes_per_second  INTEGER CHECK (bytes_per_second > 0),
    connections       INTEGER CHECK (connections > 0),
    passcode_hash     TEXT,
    generation        INTEGER NOT NULL DEFAULT 1 CHECK (generation > 0),
    created_at        TEXT NOT NULL,
    UNIQUE (kind, name),
    UNIQUE (kind, port),
    CHECK ((kind = 'http') = (name IS NOT NULL)),
    CHECK ((kind = 'http') = (port IS NULL))
) STRICT;

CREATE TABLE tunnel_minutes (
    tunnel            TEXT NOT NULL,
    minute            INTEGER NOT NULL,                    -- since 1970, UTC
    bytes_in          INTEGER NOT NULL,
    bytes_out         INTEGER NOT NULL,
    connections       INTEGER NOT NULL,                    -- begun in this minute
    requests          INTEGER NOT NULL,
    refused           INTEGER NOT NULL,
    dropped           INTEGER NOT NULL,                    -- datagrams
    PRIMARY KEY (tunnel, minute)
) STRICT, WITHOUT ROWID;
CREATE INDEX tunnel_minutes_by_time ON tunnel_minutes (minute);

CREATE TABLE tunnel_visits (
    id                INTEGER PRIMARY KEY AUTOINCREMENT,
    tunnel            TEXT NOT NULL,
    time              TEXT NOT NULL,
    event             TEXT NOT NULL CHECK (event IN ('open', 'close', 'request', 'refused')),
    address           TEXT NOT NULL,
    port              INTEGER NOT NULL,
    method            TEXT,
    path              TEXT,
    status            INTEGER,
    bytes_in          INTEGER,
    bytes_out         INTEGER,
    duration_ms       INTEGER
) STRICT;
CREATE INDEX tunnel_visits_by_tunnel ON tunnel_visits (tunnel, id);
CREATE INDEX tunnel_visits_by_time ON tunnel_visits (time);

-- How far the access log of Traefik was read; written with the rows that came of it.
CREATE TABLE edge_log_position (
    id                INTEGER PRIMARY KEY CHECK (id = 1),
    inode             INTEGER NOT NULL,
    position          INTEGER NOT NULL
) STRICT;
