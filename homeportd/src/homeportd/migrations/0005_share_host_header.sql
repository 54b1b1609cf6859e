-- What the dev server behind a share sees as its own name: localhost, keep (the public name), or a name.
ALTER TABLE shares ADD COLUMN host_header TEXT NOT NULL DEFAULT 'localhost';
