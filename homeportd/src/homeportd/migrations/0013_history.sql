-- Repos and ports that were seen on this machine, those too that are not there now.
CREATE TABLE repos (
    path        TEXT PRIMARY KEY,
    name        TEXT NOT NULL,
    remote      TEXT,                                -- without credentials
    created_at  TEXT NOT NULL,                       -- when it was first seen
    updated_at  TEXT NOT NULL                        -- when its branch or remote was last seen to change
) STRICT;
CREATE TABLE ports (
    port        INTEGER PRIMARY KEY,
    repo        TEXT,                                -- path of the repo that its program ran in
    first_seen  TEXT NOT NULL,
    last_seen   TEXT NOT NULL
) STRICT;
