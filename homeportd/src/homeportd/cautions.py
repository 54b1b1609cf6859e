"""Cautions about a port before it is shared: that it speaks no HTTP, or that it is a debugger. Pure.

A port is known by the program that listens, or by its well-known number where the program is unknown or says nothing.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Final, Literal

# An address for browsers leads nowhere; or whoever gets in runs what they like.
Kind = Literal["not-http", "debugger"]


@dataclass(frozen=True)
class Caution:
    """A sentence for a person, and the command to use instead where there is one."""

    kind: Kind
    text: str
    command: str | None = None


NODE_INSPECTOR: Final = 9229  # where --inspect names no port
BUN_INSPECTOR: Final = 6499
CHROME_DEVTOOLS: Final = 9222
DEBUGPY: Final = 5678
JDWP: Final = 5005

# Programs that speak no HTTP, on whatever port.
_SERVERS: Final = {
    "postgres": "PostgreSQL",
    "postmaster": "PostgreSQL",
    "pgbouncer": "PgBouncer",
    "mysqld": "MySQL",
    "mariadbd": "MariaDB",
    "redis-server": "Redis",
    "redis-sentinel": "Redis Sentinel",
    "valkey-server": "Valkey",
    "keydb-server": "KeyDB",
    "mongod": "MongoDB",
    "mongos": "MongoDB",
    "memcached": "memcached",
    "sshd": "SSH",
    "dropbear": "SSH",
    "master": "Postfix (SMTP)",  # Postfix's own name for its process that listens
    "exim4": "Exim (SMTP)",
    "dovecot": "Dovecot (IMAP)",
    "mosquitto": "Mosquitto (MQTT)",
    "vsftpd": "FTP",
    "proftpd": "FTP",
    "slapd": "LDAP",
    "smbd": "SMB",
    "php-fpm": "PHP-FPM (FastCGI)",
    "Xvnc": "VNC",
    "Xtigervnc": "VNC",
    "xrdp": "RDP",
}
# Numbers that are known for what they are; a program that is none of the below may use them for anything.
_NUMBERS: Final = {
    21: "FTP",
    22: "SSH",
    23: "Telnet",
    25: "SMTP",
    53: "DNS",
    110: "POP3",
    111: "rpcbind",
    139: "SMB",
    143: "IMAP",
    389: "LDAP",
    445: "SMB",
    465: "SMTP",
    587: "SMTP",
    636: "LDAP",
    993: "IMAP",
    995: "POP3",
    1025: "SMTP",
    1433: "SQL Server",
    1521: "Oracle Database",
    1883: "MQTT",
    2049: "NFS",
    2181: "ZooKeeper",
    3306: "MySQL or MariaDB",
    3389: "RDP",
    4222: "NATS",
    5432: "PostgreSQL",
    5671: "AMQP",
    5672: "AMQP",
    5900: "VNC",
    6379: "Redis",
    6432: "PgBouncer",
    7687: "Neo4j (Bolt)",
    8883: "MQTT",
    9042: "Cassandra",
    9092: "Kafka",
    9300: "Elasticsearch's transport",
    11211: "memcached",
    26257: "CockroachDB",
    27017: "MongoDB",
    33060: "MySQL",
    61613: "STOMP",
    61616: "ActiveMQ",
}
_DEBUGGERS: Final = {
    NODE_INSPECTOR: "Node's inspector",
    CHROME_DEVTOOLS: "Chrome's remote debugging",
    DEBUGPY: "debugpy",
}
# They only pass connections on, or run what they are given: the number says more than their name.
_FORWARDERS: Final = frozenset(
    {
        "docker-proxy",
        "rootlessport",
        "conmon",
        "slirp4netns",
        "pasta",
        "pasta.avx2",
        "gvproxy",
        "ssh",
        "kubectl",
    }
    | {
        "socat",
        "java",
        "beam.smp",
        "epmd",
        "nats-server",
        "cockroach",
        "mailpit",
        "mailhog",
        "MailHog",
        "systemd",
    }
)

_NODE: Final = re.compile(r"(node|nodejs|electron|deno|ts-node|tsx)")
_PYTHON: Final = re.compile(r"(python|pypy)[0-9.]*")
_INSPECT: Final = re.compile(r"--inspect(?:-brk|-wait|-port)?(?:=(.*))?")
_DEVTOOLS: Final = re.compile(r"--remote-debugging-port(?:=(.*))?")
_JDWP: Final = re.compile(r"-(?:agentlib:|X?run)jdwp[=:](.*)")
_END_NUMBER: Final = re.compile(r"(?:^|[:=])([0-9]{1,5})(?:/[^/]*)?$")
_FLASK_DEBUG: Final = frozenset({"--debug", "--debugger"})
_OTHER_DEBUGGERS: Final = {
    "gdbserver": "gdbserver",
    "lldb-server": "lldb-server",
    "dlv": "Delve",
    "rdbg": "Ruby's debugger",
}


def caution(port: int, argv: Sequence[str] = ()) -> Caution | None:
    """The caution about a port of the program with this command line; `argv` empty: the program is not known."""
    words = list(argv) if len(argv) > 1 else argv[0].split() if argv else []  # one text: a title of its own
    name = _debugger(port, words)
    if name is not None:
        return debugger(port, name)
    server = _server(port, words)
    if server is not None:
        return Caution(
            "not-http",
            f"Port {port} is {server}, which does not speak HTTP: an address for browsers leads nowhere.",
            f"homeport tcp {port}",
        )
    return None


def debugger(port: int, name: str) -> Caution:
    """The caution about a port that is a debugger."""
    return Caution(
        "debugger",
        f"Port {port} is {name}: whoever can open it can run any program here, as the user who started it.",
    )


def is_inspector(answer: object) -> bool:
    """Whether this is what inspectors of Node's and Chrome's kind say at /json/version, as JSON."""
    return isinstance(answer, dict) and "Protocol-Version" in answer and "Browser" in answer


def _program(words: Sequence[str]) -> str:
    """The name of the program, as a process that rewrote its title has it too: `sshd: /usr/sbin/sshd …`."""
    return PurePosixPath(words[0].lstrip("-").rstrip(":")).name if words else ""


def _server(port: int, words: Sequence[str]) -> str | None:
    program = _program(words)
    known = _SERVERS.get(program) or _SERVERS.get(program.rstrip("0123456789."))
    if known is not None:
        return known
    return _NUMBERS.get(_inner(port, words)) if not program or program in _FORWARDERS else None


def _inner(port: int, words: Sequence[str]) -> int:
    """The port in the container, where a proxy of an engine's says it; else the port itself."""
    with contextlib.suppress(ValueError, IndexError):
        return int(words[words.index("-container-port") + 1])
    return port


def _debugger(port: int, words: Sequence[str]) -> str | None:  # noqa: PLR0911 - one a debugger
    program, arguments = _program(words), words[1:]
    if not program:
        return _DEBUGGERS.get(port)
    if program == "bun" and port in _ports_of(_INSPECT, arguments, BUN_INSPECTOR):
        return "Bun's inspector"
    if port in _ports_of(_INSPECT, arguments, NODE_INSPECTOR):
        return "Node's inspector"
    if _inner(port, words) == NODE_INSPECTOR and (_NODE.fullmatch(program) or program in _FORWARDERS):
        return "Node's inspector"  # NODE_OPTIONS, which is on no command line
    if port in _ports_of(_DEVTOOLS, arguments, CHROME_DEVTOOLS):
        return "Chrome's remote debugging"
    java = [match[1] for word in arguments if (match := _JDWP.fullmatch(word))]
    addresses = [
        _number(part) for options in java for part in options.split(",") if part.startswith("address=")
    ]
    if port in addresses or (program == "java" and port == JDWP and not java):  # JAVA_TOOL_OPTIONS, say
        return "Java's debugger (JDWP)"
    named = [number for word in arguments if (number := _number(word))]
    if any("debugpy" in word or "ptvsd" in word for word in arguments) and port in (named or [DEBUGPY]):
        return "debugpy"
    if program in _OTHER_DEBUGGERS and port in named:
        return _OTHER_DEBUGGERS[program]
    if _is_werkzeug(program, arguments):
        return "a server with Werkzeug's debugger"
    return None


def _ports_of(option: re.Pattern[str], arguments: Sequence[str], default: int) -> Iterator[int]:
    """The ports that an option names, as `--inspect`, `--inspect=9230`, `--inspect=[::1]:9230`, `… 9230`."""
    for index, word in enumerate(arguments):
        match = option.fullmatch(word)
        if match is None:
            continue
        following = arguments[index + 1] if index + 1 < len(arguments) else ""
        yield _number(match[1] or "") or (_number(following) if following.isdigit() else 0) or default


def _number(text: str) -> int:
    """The port at the end of `9230`, `:9230`, `127.0.0.1:9230`, `address=*:9230`; 0 where there is none."""
    match = _END_NUMBER.search(text)
    return int(match[1]) if match and int(match[1]) <= 65535 else 0


def _is_werkzeug(program: str, arguments: Sequence[str]) -> bool:
    """Whether a page that fails has a console: `flask run --debug`, `manage.py runserver_plus`."""
    if program not in ("flask", "django-admin") and not _PYTHON.fullmatch(program):
        return False
    names = [PurePosixPath(word).name for word in (program, *arguments)]
    if "runserver_plus" in names:
        return True
    return "flask" in names and "run" in names and not _FLASK_DEBUG.isdisjoint(arguments)
