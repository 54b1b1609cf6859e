"""The datagram generator of bench/tunnel.py: the highest rate that arrives with hardly a loss."""

from __future__ import annotations

import multiprocessing
import socket
import time
from multiprocessing.sharedctypes import Synchronized
from typing import Final

SIZE: Final = 200  # bytes of payload
LOSS: Final = 0.01  # of the datagrams, at most
LEAST: Final = 2000  # a second, to begin with
MOST: Final = 400_000
STEP: Final = 1.25
TICK_S: Final = 0.001  # so often a batch is sent
SETTLE_S: Final = 0.3  # for the last ones to arrive
BUFFER: Final = 8 * 1024 * 1024


def highest(front: int, service: int, seconds: float) -> float:
    """Datagrams a second that arrived, of the fastest step before the first that lost more than `LOSS`.

    A step is tried twice before it counts as failed: another process may have had the processor.
    """
    context = multiprocessing.get_context("fork")
    count = context.Value("Q", 0)
    sink = context.Process(target=_sink, args=(service, count), daemon=True)
    sink.start()
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.connect(("127.0.0.1", front))
            for _ in range(20):  # the visitor's session begins
                sender.send(bytes(SIZE))
                time.sleep(0.02)
            best, rate = 0.0, float(LEAST)
            while rate <= MOST:
                tries = (_step(sender, count, rate, seconds) for _ in range(2))
                arrived = next((got for sent, got in tries if got >= sent * (1 - LOSS)), None)
                if arrived is None:
                    break
                best, rate = arrived / seconds, rate * STEP
            return best
    finally:
        sink.terminate()
        sink.join()


def _step(sender: socket.socket, count: Synchronized[int], rate: float, seconds: float) -> tuple[int, int]:
    """(sent, arrived)"""
    payload = bytes(SIZE)
    before, sent, wanted = count.value, 0, int(rate * seconds)
    began = time.perf_counter()
    while sent < wanted:
        due = min(wanted, int((time.perf_counter() - began) * rate))
        for _ in range(due - sent):
            sender.send(payload)
        sent = max(sent, due)
        time.sleep(TICK_S)
    late = time.perf_counter() - began
    time.sleep(SETTLE_S)
    # A generator that falls behind has not offered the rate: no credit for it.
    arrived = count.value - before
    return sent, arrived if late < seconds * 1.1 else 0


def _sink(port: int, count: Synchronized[int]) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER)
        receiver.bind(("127.0.0.1", port))
        view = bytearray(65536)
        while True:
            receiver.recv_into(view)
            count.value += 1
