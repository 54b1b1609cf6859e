CREATE TABLE shares (
    port           INTEGER PRIMARY KEY CHECK (port BETWEEN 1 AND 65535),
    id             TEXT NOT NULL UNIQUE,
    generation     INTEGER NOT NULL CHECK (generation > 0),
    mode           TEXT NOT NULL CHECK (mode IN ('private', 'password', 'public')),
    password_hash  TEXT,
    expires_at     TEXT,
    allow          TEXT NOT NULL,                        -- JSON list of CIDR
    max_uses       INTEGER CHECK (max_uses > 0),
    uses           INTEGER NOT NULL DEFAULT 0 CHECK (uses >= 0),
    updated_at     TEXT NOT NULL,
    CHECK ((mode = 'password') = (password_hash IS NOT NULL))
) STRICT;

CREATE TABLE accesses (
    id             INTEGER PRIMARY KEY AUTOINCREMENT,
    port           INTEGER NOT NULL,
    time           TEXT NOT NULL,
    address        TEXT NOT NULL,
    user_agent     TEXT NOT NULL,
    method         TEXT NOT NULL,
    path           TEXT NOT NULL,
    decision       TEXT NOT NULL
) STRICT;
CREATE INDEX accesses_by_port ON accesses (port, id);
CREATE INDEX accesses_by_time ON accesses (time);

CREATE TABLE tokens (
    id             TEXT PRIMARY KEY,
    name           TEXT NOT NULL,
    prefix         TEXT NOT NULL,
    hash           BLOB NOT NULL UNIQUE,                 -- SHA-256 of the secret
    created_at     TEXT NOT NULL,
    last_used_at   TEXT
) STRICT;

CREATE TABLE sessions (
    id             TEXT PRIMARY KEY,
    hash           BLOB NOT NULL UNIQUE,                 -- SHA-256 of the cookie
    created_at     TEXT NOT NULL,
    expires_at     TEXT NOT NULL
) STRICT;

CREATE TABLE owner_password (
    id             INTEGER PRIMARY KEY CHECK (id = 1),
    hash           TEXT NOT NULL
) STRICT;
