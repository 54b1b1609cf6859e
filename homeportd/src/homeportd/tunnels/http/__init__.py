"""HTTP/1.1 through a tunnel: the heads of requests and responses are rewritten, bodies pass untouched. No I/O."""
