"""The real Pebble (an ACME certificate authority) and the real knot (a DNS server) for tests, on loopback.

Debian's packages `pebble` and `knot`. Both need the standard library and `trustme` alone, so that Molecule's tests
can import this file as well; `pebble_config` and `knot_config` give the files to those who start them elsewhere.
https://github.com/letsencrypt/pebble https://www.knot-dns.cz/docs/3.2/html/configuration.html
"""

from __future__ import annotations

import base64
import json
import os
import secrets
import shutil
import socket
import ssl
import subprocess
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import trustme

from .freeports import free_port

KEY_NAME = "homeport."
KEY_ALGORITHM = "hmac-sha256"
STARTED_S = 60
_PATH = os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/sbin", "/usr/local/sbin"))


def missing() -> str:
    """Why these tests cannot run here; empty when they can."""
    lacking = [name for name in ("pebble", "knotd") if not shutil.which(name, path=_PATH)]
    return f"{' and '.join(lacking)} not installed (apt install pebble knot)" if lacking else ""


@dataclass(frozen=True)
class Knot:
    """A running DNS server: the authority of its zones, which refuses all else."""

    port: int
    key: str  # base64, of KEY_NAME: may change every record of every zone (RFC 2136)

    @property
    def address(self) -> str:
        """As programs take it."""
        return f"127.0.0.1:{self.port}"


@dataclass(frozen=True)
class Pebble:
    """A running certificate authority. `ca`: signs its own API; `root`: signs what it issues."""

    directory: str
    ca: Path
    root: Path


def knot_config(folder: Path, port: int, key: str, zones: Sequence[str]) -> str:
    """knot.conf for zones whose files, in the same folder, are called ZONE.zone."""
    lines = [
        "server:",
        f'    rundir: "{folder}"',
        f"    listen: 127.0.0.1@{port}",
        "log:",
        "  - target: stderr",
        "    any: warning",
        "database:",
        f'    storage: "{folder}/db"',
        "key:",
        f"  - id: {KEY_NAME}",
        f"    algorithm: {KEY_ALGORITHM}",
        f"    secret: {key}",
        "acl:",
        "  - id: update",
        f"    key: {KEY_NAME}",
        "    action: update",
        "zone:",
    ]
    for zone in zones:
        lines += [
            f"  - domain: {zone}",
            f'    storage: "{folder}"',
            f"    file: {zone}.zone",
            "    zonefile-sync: -1",
            "    zonefile-load: difference-no-serial",
            "    journal-content: all",
            "    acl: update",
        ]
    return "\n".join(lines) + "\n"


def zone_file(zone: str, records: str) -> str:
    """A zone whose name server is this machine; nothing is cached for longer than a second."""
    return (
        f"$ORIGIN {zone}.\n$TTL 1\n@ SOA ns.{zone}. admin.{zone}. 1 60 60 600 1\n@ NS ns.{zone}.\n"
        f"ns A 127.0.0.1\n{records}\n"
    )


@contextmanager
def knot(folder: Path, zones: Mapping[str, str]) -> Iterator[Knot]:
    """Serve `zones`, each with its records in the form of a zone file, until the block ends."""
    (folder / "db").mkdir(parents=True)
    key = base64.b64encode(secrets.token_bytes(32)).decode()
    port = free_port()
    for zone, records in zones.items():
        (folder / f"{zone}.zone").write_text(zone_file(zone, records))
    (folder / "knot.conf").write_text(knot_config(folder, port, key, tuple(zones)))
    command = ["knotd", "-c", str(folder / "knot.conf")]
    with _process(command, folder / "knot.log", {}) as process:
        _wait(process, folder / "knot.log", lambda: _answers(port, next(iter(zones))))
        yield Knot(port, key)


def pebble_config(
    folder: Path, port: int, management: int, http_port: int, tls_port: int, validity_s: int
) -> str:
    """pebble.json. Challenges are looked for at these ports of the addresses that the DNS server names."""
    return json.dumps(
        {
            "pebble": {
                "listenAddress": f"127.0.0.1:{port}",
                "managementListenAddress": f"127.0.0.1:{management}",
                "certificate": str(folder / "pebble.pem"),
                "privateKey": str(folder / "pebble.key"),
                "httpPort": http_port,
                "tlsPort": tls_port,
                "ocspResponderURL": "",
                "externalAccountBindingRequired": False,
                "certificateValidityPeriod": validity_s,
            }
        }
    )


@contextmanager
def pebble(
    folder: Path, dns: str, *, http_port: int = 9, tls_port: int = 9, validity_s: int = 20 * 86400
) -> Iterator[Pebble]:
    """Issue certificates of `validity_s` seconds until the block ends; it forgets all accounts then.

    `dns`: HOST:PORT of the server that it asks.
    """
    folder.mkdir()
    port, management = free_port(), free_port()
    authority = trustme.CA()
    certificate = authority.issue_cert("localhost", "127.0.0.1")
    authority.cert_pem.write_to_path(folder / "ca.pem")
    certificate.private_key_pem.write_to_path(folder / "pebble.key")
    with (folder / "pebble.pem").open("wb") as file:
        file.write(b"".join(part.bytes() for part in certificate.cert_chain_pems))
    (folder / "pebble.json").write_text(
        pebble_config(folder, port, management, http_port, tls_port, validity_s)
    )
    trust = ssl.create_default_context(cafile=folder / "ca.pem")

    def root() -> bytes:
        url = f"https://localhost:{management}/roots/0"
        with urllib.request.urlopen(url, context=trust, timeout=30) as answer:
            return answer.read()

    command = ["pebble", "-config", str(folder / "pebble.json"), "-dnsserver", dns]
    # Without these it waits up to 15 s before each challenge and refuses one nonce in twenty.
    more = {"PEBBLE_VA_NOSLEEP": "1", "PEBBLE_WFE_NONCEREJECT": "0", "PEBBLE_AUTHZREUSE": "0"}
    with _process(command, folder / "pebble.log", more) as process:
        (folder / "root.pem").write_bytes(_wait(process, folder / "pebble.log", root))
        yield Pebble(f"https://localhost:{port}/dir", folder / "ca.pem", folder / "root.pem")


@contextmanager
def _process(command: list[str], log: Path, more: Mapping[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    program = shutil.which(command[0], path=_PATH) or command[0]
    with log.open("wb") as output:
        process = subprocess.Popen(
            [program, *command[1:]],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env={**os.environ, **more},
        )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait(process: subprocess.Popen[bytes], log: Path, question):
    end = time.monotonic() + STARTED_S
    while True:
        try:
            if answer := question():
                return answer
        except OSError as error:
            last = error
        else:
            last = None
        if process.poll() is not None or time.monotonic() > end:
            raise RuntimeError(f"{process.args[0]} did not start ({last}): {log.read_text()}")
        time.sleep(0.02)


def _answers(port: int, zone: str) -> bool:
    """Whether the server answers for the zone's SOA without an error."""
    name = b"".join(bytes([len(label)]) + label.encode() for label in zone.split(".")) + b"\0"
    query = b"\x12\x34\0\0\0\1\0\0\0\0\0\0" + name + b"\0\6\0\1"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(0.2)
        sock.connect(("127.0.0.1", port))
        sock.send(query)
        answer = sock.recv(1024)
    return answer[:2] == query[:2] and answer[3] & 15 == 0 and answer[7] > 0


def change(server: Knot, zone: str, name: str, kind: str, *values: str) -> None:
    """Replace the records of a kind at a name below the zone; without values there are none after."""
    import dns.query
    import dns.rcode
    import dns.tsigkeyring
    import dns.update

    keys = dns.tsigkeyring.from_text({KEY_NAME: server.key})
    update = dns.update.UpdateMessage(zone, keyring=keys, keyname=KEY_NAME, keyalgorithm=KEY_ALGORITHM)
    update.delete(name, kind)
    for value in values:
        update.add(name, 1, kind, value)
    answer = dns.query.tcp(update, "127.0.0.1", port=server.port, timeout=30)
    assert answer.rcode() == dns.rcode.NOERROR, answer
