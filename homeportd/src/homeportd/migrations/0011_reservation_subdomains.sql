-- Whether names below a reserved name, such as foo.myapp.tunnel.example.com, lead to its tunnel, whatever its client says.
ALTER TABLE tunnels ADD COLUMN subdomains INTEGER NOT NULL DEFAULT 0;
