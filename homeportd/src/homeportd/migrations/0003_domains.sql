-- A person's own domain that leads to a reserved HTTP name.
CREATE TABLE domains (
    domain            TEXT PRIMARY KEY,                    -- as DNS writes it (punycode), no dot at the end
    tunnel            TEXT NOT NULL REFERENCES tunnels (id),
    state             TEXT NOT NULL CHECK (state IN ('pending', 'verified', 'issued', 'error')),
    apex              INTEGER NOT NULL CHECK (apex IN (0, 1)),
    routed            INTEGER NOT NULL CHECK (routed IN (0, 1)),    -- Traefik has a route for it
    asking            INTEGER NOT NULL CHECK (asking IN (0, 1)),    -- and may ask the CA for a certificate
    asked_at          TEXT,                                -- since when it may
    retry_at          TEXT,                                -- when it may again, after the CA has refused
    failures          INTEGER NOT NULL DEFAULT 0 CHECK (failures >= 0),  -- of the CA, one after the other
    found             TEXT NOT NULL,                       -- JSON list: what DNS answered
    note              TEXT,
    error_detail      TEXT,
    error_fix         TEXT,
    certificate       TEXT,                                -- JSON
    checked_at        TEXT,
    created_at        TEXT NOT NULL,
    CHECK ((error_detail IS NULL) = (error_fix IS NULL))
) STRICT;
CREATE INDEX domains_by_tunnel ON domains (tunnel);
