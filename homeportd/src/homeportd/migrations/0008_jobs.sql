-- Background work of the agent, and the newest lines of its log.
CREATE TABLE jobs (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    kind          TEXT NOT NULL,
    title         TEXT NOT NULL,
    subject       TEXT NOT NULL,                       -- id of what it is about
    state         TEXT NOT NULL CHECK (state IN ('queued', 'running', 'done', 'failed', 'cancelled', 'cut')),
    step          TEXT NOT NULL DEFAULT '',
    progress      TEXT,                                -- JSON: [done, total or null, unit]
    notes         TEXT NOT NULL DEFAULT '[]',          -- JSON list
    lines         INTEGER NOT NULL DEFAULT 0 CHECK (lines >= 0),  -- number of the newest line
    error_detail  TEXT,
    error_fix     TEXT,
    created_at    TEXT NOT NULL,
    started_at    TEXT,
    ended_at      TEXT,
    CHECK ((error_detail IS NULL) = (error_fix IS NULL))
) STRICT;
CREATE TABLE job_lines (
    job     INTEGER NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    number  INTEGER NOT NULL,
    time    TEXT NOT NULL,
    text    TEXT NOT NULL,
    PRIMARY KEY (job, number)
) STRICT, WITHOUT ROWID;
