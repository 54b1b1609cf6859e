-- What happened on the machine: servers, shares and jobs.
CREATE TABLE activity (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    time     TEXT NOT NULL,
    subject  TEXT NOT NULL,                            -- id of the repo, empty where there is none
    kind     TEXT NOT NULL,
    name     TEXT NOT NULL,                            -- the server, port or job
    detail   TEXT NOT NULL,
    by       TEXT NOT NULL                             -- what the owner used, empty where nobody asked
) STRICT;
CREATE INDEX activity_subject ON activity (subject, id);
