-- Whether the names one label below a port's own, such as foo.4210.localhost, lead to the share too.
ALTER TABLE shares ADD COLUMN subdomains INTEGER NOT NULL DEFAULT 0;
