"""A small HTTP proxy, as companies have them: CONNECT alone, every name leads to this machine."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager


class HttpProxy:
    """`targets`: what was asked for. `answer`: instead of a tunnel; b"": none at all."""

    def __init__(self, credentials: str, answer: bytes | None, tls: ssl.SSLContext | None) -> None:
        self.targets: list[str] = []
        self.heads: list[str] = []
        self._wanted = f"Basic {b64encode(credentials.encode()).decode()}" if credentials else ""
        self._answer = answer
        self._tls = tls
        self._open: list[socket.socket] = []
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._server.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Stop, and end every connection."""
        for sock in (self._server, *self._open):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            sock.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                sock, _ = self._server.accept()
                threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock: socket.socket) -> None:
        self._open.append(sock)
        with contextlib.suppress(OSError):
            if self._tls is not None:  # for TLS a pair in between: a TLS socket is no good in two threads
                near, far = socket.socketpair()
                self._open += [near, far]
                threading.Thread(target=self._decrypt, args=(sock, far), daemon=True).start()
                sock = near
            head = b""
            while not head.endswith(b"\r\n\r\n"):
                head += (byte := sock.recv(1))
                if not byte:
                    return
            self._tunnel(sock, head.decode())
        sock.close()

    def _tunnel(self, sock: socket.socket, head: str) -> None:
        self.heads.append(head)
        method, target, _ = head.partition("\r\n")[0].split(" ")
        assert method == "CONNECT"
        if self._answer is not None:
            sock.sendall(self._answer)
            if not self._answer:
                sock.recv(1)
            return
        if self._wanted and f"Proxy-Authorization: {self._wanted}\r\n" not in head:
            sock.sendall(
                b'HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm="x"\r\n\r\n'
            )
            return
        self.targets.append(target)
        upstream = socket.create_connection(("127.0.0.1", int(target.rpartition(":")[2])))
        self._open.append(upstream)
        sock.sendall(b"HTTP/1.1 200 Connection established\r\nVia: 1.1 x\r\n\r\n")
        threading.Thread(target=_pump, args=(upstream, sock), daemon=True).start()
        _pump(sock, upstream)

    def _decrypt(self, sock: socket.socket, far: socket.socket) -> None:
        assert self._tls is not None
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        layer, lock = self._tls.wrap_bio(incoming, outgoing, server_side=True), threading.Lock()

        def flush() -> None:
            if data := outgoing.read():
                sock.sendall(data)

        def send() -> None:
            with contextlib.suppress(OSError):
                while data := far.recv(65536):
                    with lock:
                        layer.write(data)
                        flush()
            sock.close()

        shaken = False
        with contextlib.suppress(OSError):
            while data := sock.recv(65536):
                plain = b""
                with lock:
                    incoming.write(data)
                    with contextlib.suppress(ssl.SSLWantReadError):
                        if not shaken:
                            layer.do_handshake()
                            shaken = True
                            threading.Thread(target=send, daemon=True).start()
                        while piece := layer.read(65536):
                            plain += piece
                    flush()
                far.sendall(plain)
        far.close()


def _pump(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    for sock in (source, target):
        with contextlib.suppress(OSError):
            sock.shutdown(socket.SHUT_RDWR)
        sock.close()


@contextmanager
def proxying(
    credentials: str = "", answer: bytes | None = None, tls: ssl.SSLContext | None = None
) -> Iterator[HttpProxy]:
    """A proxy that wants `user:password`, where there are credentials."""
    made = HttpProxy(credentials, answer, tls)
    try:
        yield made
    finally:
        made.close()
