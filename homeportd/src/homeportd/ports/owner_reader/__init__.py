"""A small process of root's that tells the agent what it may not read itself: owners of sockets, and their repos.

The agent runs as an ordinary user. `server` answers its three questions, each in a process of its own: who holds
these listening sockets (`sockets`), which working tree is around the folder of one of them, and whether that has
changes (`trees`). Whatever is another user's is read with that user's rights (`privileges`). `client` asks.
"""
