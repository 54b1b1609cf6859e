-- Datagrams of UDP tunnels that were passed on, each way.
ALTER TABLE tunnel_minutes ADD COLUMN datagrams_in INTEGER NOT NULL DEFAULT 0;
ALTER TABLE tunnel_minutes ADD COLUMN datagrams_out INTEGER NOT NULL DEFAULT 0;
