"""yamux: many streams over one connection, as published in `spec.md` of github.com/hashicorp/yamux.

`Session` and `Stream` are for asyncio, `Bridge` joins a stream with a socket, `Machine` is the protocol
alone. This package knows nothing of the rest of Homeport.
"""
