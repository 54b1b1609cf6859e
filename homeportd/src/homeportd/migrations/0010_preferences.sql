-- Settings that the owner changes at run time.
CREATE TABLE preferences (
    section     TEXT PRIMARY KEY,
    value       TEXT NOT NULL,                       -- JSON object; secrets in it are encrypted
    updated_at  TEXT NOT NULL
) STRICT;
