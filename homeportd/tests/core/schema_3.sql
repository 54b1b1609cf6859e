-- The database of a workstation and edge after an hour of use, with a row in each table: sqlite3's .dump of a real one,
-- written by the release with three migrations (commit 5978f58). One domain was given a certificate by hand.
PRAGMA user_version = 3;
BEGIN TRANSACTION;
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
INSERT INTO "accesses" VALUES(1,3000,'2026-11-30T19:34:05.973Z','127.0.0.1','','POST','/.homeport/password','login');
INSERT INTO "accesses" VALUES(2,3000,'2026-11-30T19:34:11.541Z','127.0.0.1','','GET','/','denied:password');
INSERT INTO "accesses" VALUES(3,3000,'2026-11-30T19:34:11.751Z','127.0.0.1','','GET','/','basic');
INSERT INTO "accesses" VALUES(4,3000,'2026-11-30T19:34:11.757Z','127.0.0.1','','GET','/','password');
INSERT INTO "accesses" VALUES(5,3000,'2026-11-30T19:34:11.758Z','127.0.0.1','','GET','/','owner');
INSERT INTO "accesses" VALUES(6,4000,'2026-11-30T19:34:11.760Z','127.0.0.1','','GET','/','public');
INSERT INTO "accesses" VALUES(7,4001,'2026-11-30T19:34:11.763Z','127.0.0.1','','GET','/','denied:network');
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
INSERT INTO "domains" VALUES('app.example.org','a146bfae5360','pending',0,0,0,NULL,NULL,0,'[]','the DNS resolver did not say which zone holds app.example.org','the DNS resolver did not say which zone holds app.example.org','see that the edge can ask DNS servers (port 53) and that the domain is registered',NULL,'2026-11-30T19:37:20.725Z','2026-11-30T19:34:07.357Z');
INSERT INTO "domains" VALUES('www.example.org','362d808e024d','issued',0,1,1,'2026-11-30T19:34:30.000Z',NULL,0,'["127.0.0.1"]',NULL,NULL,NULL,'{"issuer": "Pebble", "not_before": "2026-11-30T00:00:00.000Z", "not_after": "2027-02-28T00:00:00.000Z", "serial": "0a"}','2026-11-30T19:38:10.395Z','2026-11-30T19:38:10.343Z');
CREATE TABLE edge_log_position (
    id                INTEGER PRIMARY KEY CHECK (id = 1),
    inode             INTEGER NOT NULL,
    position          INTEGER NOT NULL
) STRICT;
INSERT INTO "edge_log_position" VALUES(1,4153893,3343);
CREATE TABLE owner_password (
    id             INTEGER PRIMARY KEY CHECK (id = 1),
    hash           TEXT NOT NULL
) STRICT;
INSERT INTO "owner_password" VALUES(1,'$2b$12$DWb/4BNmUspN5RWThcs8oud19dyOWDnYvCZsNfdIvRdQK7422roKO');
CREATE TABLE sessions (
    id             TEXT PRIMARY KEY,
    hash           BLOB NOT NULL UNIQUE,                 -- SHA-256 of the cookie
    created_at     TEXT NOT NULL,
    expires_at     TEXT NOT NULL
) STRICT;
INSERT INTO "sessions" VALUES('d40c371176f85030',X'1D406A9C11435CC0C5CFB0771A1F61D7F7E3A3171CD80948E10E518EA700C6A5','2026-11-30T19:34:05.211Z','2026-12-30T19:34:05.211Z');
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
INSERT INTO "shares" VALUES(3000,'fa1c9c55843dc54c',1,'password','$2b$12$lBcWNCbBqLvhr5LpG5d8MuFRe.Jp1e7xkAXYbwUg9JluRtBoqluDC',NULL,'[]',NULL,0,'2026-11-30T19:34:03.270Z');
INSERT INTO "shares" VALUES(4000,'66022ea84d222e27',1,'public',NULL,'2026-11-30T21:34:03.859Z','[]',NULL,0,'2026-11-30T19:34:03.859Z');
INSERT INTO "shares" VALUES(4001,'5e1cb5b84a1976d6',1,'public',NULL,NULL,'["192.0.2.0/24"]',NULL,0,'2026-11-30T19:34:04.260Z');
INSERT INTO "shares" VALUES(4002,'cdacb609091547d7',1,'password','$2b$12$Sfdj8MtuSzhTuJfWHTBh.OvuyA/6dI5NI2LkF/FJmM6pP.XYabNwW','2026-11-30T21:38:08.589Z','["10.0.0.0/8"]',3,0,'2026-11-30T19:38:08.589Z');
CREATE TABLE tokens (
    id             TEXT PRIMARY KEY,
    name           TEXT NOT NULL,
    prefix         TEXT NOT NULL,
    hash           BLOB NOT NULL UNIQUE,                 -- SHA-256 of the secret
    created_at     TEXT NOT NULL,
    last_used_at   TEXT
, scope TEXT NOT NULL DEFAULT 'owner' CHECK (scope IN ('owner', 'tunnel')), lineage TEXT NOT NULL DEFAULT '', expires_at TEXT) STRICT;
INSERT INTO "tokens" VALUES('7eda5edb','script','hp_nJ-o',X'15F6105ECEE471F00BE39D4C6191B6B3C6CDB219B3CC3039B0A75ED9A84DB397','2026-11-30T19:34:04.671Z','2026-11-30T19:34:12.295Z','owner','7eda5edb',NULL);
INSERT INTO "tokens" VALUES('fbb44c76','laptop','hp_S2LD',X'269062A94147F648B33C85EAD6C08F3E33AD484A11758596D6A3055DAFE784E0','2026-11-30T19:34:07.652Z','2026-11-30T19:34:08.005Z','tunnel','fbb44c76',NULL);
INSERT INTO "tokens" VALUES('d11ef5b5','this machine: root','hp_9fGp',X'447BA41B20EF5D43AE6AE0C73D660F123F48392FBBB1C21D0E23B32F7E86766A','2026-11-30T19:34:10.875Z','2026-11-30T19:34:10.892Z','tunnel','d11ef5b5',NULL);
INSERT INTO "tokens" VALUES('bbcfff11','ci','hp_9w9S',X'BD99A48D7E9E5D64BD337E3E2C1FFE8737093BB99060463C2A92A1D7B2DA8CC9','2026-11-30T19:38:09.159Z',NULL,'owner','bbcfff11','2026-12-01T19:38:09.953Z');
INSERT INTO "tokens" VALUES('7932ebf3','ci','hp_osAf',X'DC314053A097468FF3A90473107509F27524D2E40D98BC513FC31A6F3B1DB640','2026-11-30T19:38:09.953Z',NULL,'owner','bbcfff11',NULL);
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
INSERT INTO "tunnel_minutes" VALUES('362d808e024d',29934454,213,73,1,1,0,0);
INSERT INTO "tunnel_minutes" VALUES('753f5d8cbf07',29934454,10,10,1,0,0,0);
INSERT INTO "tunnel_minutes" VALUES('8213415bec62',29934454,10,10,1,0,0,0);
INSERT INTO "tunnel_minutes" VALUES('a146bfae5360',29934454,213,73,1,2,0,0);
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
INSERT INTO "tunnel_visits" VALUES(1,'362d808e024d','2026-11-30T19:34:11.126Z','request','127.0.0.1',40682,'GET','/',200,0,15,2);
INSERT INTO "tunnel_visits" VALUES(2,'a146bfae5360','2026-11-30T19:34:11.129Z','request','127.0.0.1',40690,'GET','/',401,0,132,0);
INSERT INTO "tunnel_visits" VALUES(3,'753f5d8cbf07','2026-11-30T19:34:11.339Z','open','127.0.0.1',45494,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "tunnel_visits" VALUES(4,'753f5d8cbf07','2026-11-30T19:34:11.340Z','close','127.0.0.1',45494,NULL,NULL,NULL,10,10,1);
INSERT INTO "tunnel_visits" VALUES(5,'8213415bec62','2026-11-30T19:34:11.341Z','open','127.0.0.1',36654,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "tunnel_visits" VALUES(6,'a146bfae5360','2026-11-30T19:34:11.131Z','request','127.0.0.1',40706,'GET','/',200,0,15,206);
INSERT INTO "tunnel_visits" VALUES(7,'8213415bec62','2026-11-30T19:35:12.085Z','close','127.0.0.1',36654,NULL,NULL,NULL,10,10,60744);
INSERT INTO "tunnel_visits" VALUES(8,'a146bfae5360','2026-11-30T19:38:12.563Z','request','127.0.0.1',50794,'GET','/',401,0,132,399);
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
INSERT INTO "tunnels" VALUES('a146bfae5360','http','guarded',NULL,'fbb44c76',1,'["127.0.0.0/8"]',NULL,NULL,'$2b$12$leF2tTZtT0gAsatoEuE34ee3ODTt40NBy1MbdvUiqqkvf2KfWTFdq',1,'2026-11-30T19:34:06.523Z');
INSERT INTO "tunnels" VALUES('753f5d8cbf07','tcp',NULL,20022,'fbb44c76',1,'["127.0.0.0/8", "192.0.2.0/24"]',NULL,5,NULL,1,'2026-11-30T19:34:06.825Z');
INSERT INTO "tunnels" VALUES('8213415bec62','udp',NULL,20053,'fbb44c76',1,'[]',1000000,NULL,NULL,1,'2026-11-30T19:34:07.084Z');
INSERT INTO "tunnels" VALUES('362d808e024d','http','web',NULL,'fbb44c76',1,'[]',NULL,NULL,NULL,1,'2026-11-30T19:34:08.862Z');
INSERT INTO "tunnels" VALUES('9ad35796335b','http','free',NULL,NULL,1,'[]',NULL,NULL,NULL,1,'2026-11-30T19:38:12.027Z');
CREATE INDEX accesses_by_port ON accesses (port, id);
CREATE INDEX accesses_by_time ON accesses (time);
CREATE INDEX tunnel_minutes_by_time ON tunnel_minutes (minute);
CREATE INDEX tunnel_visits_by_tunnel ON tunnel_visits (tunnel, id);
CREATE INDEX tunnel_visits_by_time ON tunnel_visits (time);
CREATE INDEX domains_by_tunnel ON domains (tunnel);
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('accesses',7);
INSERT INTO "sqlite_sequence" VALUES('tunnel_visits',8);
COMMIT;
