"""The owner reader: a small process of root's that answers the agent about sockets' owners and repos it may not read.

The agent runs as an ordinary user. `server` answers its three questions, each in a process of its own: who holds
these listening sockets (`sockets`), which working tree is around the folder of one of them, and whether that has
changes (`trees`). Whatever is another user's is read with that user's rights (`privileges`). `client` asks.
"""
