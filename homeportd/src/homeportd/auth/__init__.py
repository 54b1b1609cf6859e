"""Authentication of the owner: login sessions, tokens, one-time codes, the password."""
