"""Dev servers: the start commands of a repo, their numbers of ports, their states, start and stop."""
