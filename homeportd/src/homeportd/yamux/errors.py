"""The errors of a yamux session or stream."""


class YamuxError(Exception):
    """Base of every error of this package."""


class ProtocolError(YamuxError):
    """The peer sent bytes that the protocol forbids. The session is closed with go-away code 1."""


class SessionClosed(YamuxError, ConnectionError):
    """The session has ended, or takes no new streams; the message says why."""


class StreamReset(YamuxError, ConnectionResetError):
    """One side ended the stream abruptly; bytes in flight are lost."""


class StreamClosed(YamuxError, ConnectionError):
    """Bytes were written to a stream after its end was announced (`finish`, `write_eof`, `close`)."""


class TooManyStreams(YamuxError):
    """The configured number of live streams is reached, or the stream ids are used up."""


class BufferFull(YamuxError):
    """A writer went on writing without waiting for `drain`; the bytes were not taken."""
