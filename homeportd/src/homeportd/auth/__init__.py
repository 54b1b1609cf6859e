"""Who is asking: the owner's login sessions, tokens, one-time codes and password."""
