-- Dev servers of repos: what a person has set, the number that each keeps, and how it last ran.
CREATE TABLE servers (
    id TEXT PRIMARY KEY,
    repo_path TEXT NOT NULL,
    name TEXT NOT NULL,
    directory TEXT NOT NULL,
    start_command TEXT,                                  -- NULL: the detected one
    auto_start INTEGER NOT NULL CHECK (auto_start IN (0, 1)),
    restart INTEGER NOT NULL CHECK (restart IN (0, 1)),  -- after a crash
    idle_stop_s INTEGER,                                 -- NULL: as for all servers; 0: never
    port INTEGER UNIQUE,
    was_running INTEGER NOT NULL CHECK (was_running IN (0, 1)),
    state TEXT NOT NULL,
    ports TEXT NOT NULL,                                 -- JSON, those that it listened on last
    ending TEXT,                                         -- JSON, its last end
    started_at TEXT,
    stopped_at TEXT,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    UNIQUE (repo_path, name)
) STRICT;
-- One row: the boot in which the agent last ran, by which a restart of the agent is told from a reboot.
CREATE TABLE server_boot (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    boot TEXT NOT NULL
) STRICT;
