"""Who is asking: the owner's sessions, tokens, one-time codes and password."""
