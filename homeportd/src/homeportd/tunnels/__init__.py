"""The tunnel: the protocol that binds both sides, and the client's side with its daemon."""
