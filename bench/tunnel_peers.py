"""The programs that bench/tunnel.py compares with, and what all of them carry to. Ended by their own pids."""

from __future__ import annotations

import getpass
import http.client
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil

BIN = Path(__file__).parents[1] / "bin"
# The part of bin/real-parts that a program is of.
PARTS = {"frps": "frp", "frpc": "frp", "chisel": "chisel", "rathole": "rathole"}
START_S = 15.0


class Missing(Exception):
    """A peer is not to be had, or does not come up; the text says why."""


@dataclass(frozen=True)
class Services:
    """What is behind every way: ports on loopback."""

    iperf: int
    http: int
    udp: int


@dataclass(frozen=True)
class Started:
    """One way, ready: where its visitors come in, and the processes of both ends."""

    processes: list[psutil.Process]
    tcp: int
    http: int = 0
    host: str = ""
    udp: int = 0
    plain: int = 0  # a TCP tunnel to the HTTP service

    def cpu_s(self) -> float:
        """Processor seconds that all its processes have used, children included."""
        times = [p.cpu_times() for p in self._all()]
        return sum(t.user + t.system for t in times)

    def memory_mb(self) -> float:
        """Resident memory of all its processes."""
        return sum(p.memory_info().rss for p in self._all()) / 2**20

    def _all(self) -> list[psutil.Process]:
        return [q for p in self.processes for q in (p, *p.children(recursive=True))]


def free_port() -> int:
    """A port for one of the parts."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def run(stack: ExitStack, folder: Path, name: str, *command: str) -> subprocess.Popen[bytes]:
    """A process that ends with the stack; what it says goes to a file."""
    log = stack.enter_context((folder / f"{name}.log").open("wb"))
    environment = {"HOME": str(folder), "PATH": "/usr/sbin:/usr/bin:/bin"}
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment)

    def end() -> None:
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    stack.callback(end)
    return process


def wait_for(check: Callable[[], bool], what: str, log: Path | None = None) -> None:
    """Give a part some seconds to come up. Raises Missing, with what its log ends with."""
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        if check():
            return
        time.sleep(0.05)
    said = log.read_text(errors="replace")[-500:].strip() if log is not None and log.exists() else ""
    raise Missing(f"{what} did not come up: {said or 'it said nothing'}")


def listens(port: int) -> bool:
    """Whether something accepts connections."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def answers(port: int, host: str) -> bool:
    """Whether the HTTP service is reached."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", "/", headers={"Host": host})
        return connection.getresponse().read() == b"hello"
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def find_program(name: str) -> str:
    """A program of a wheel, of a part that bin/real-parts has made, or of the system. Raises Missing."""
    if (path := Path(sys.executable).with_name(name)).exists():
        return str(path)
    part = PARTS.get(name)
    if part is not None:
        command = [BIN / "real-parts", "--path", part]
        asked = subprocess.run(command, capture_output=True, text=True, check=False)
        if not asked.returncode:
            return f"{asked.stdout.strip()}/bin/{name}"
    if found := shutil.which(name, path="/usr/sbin:/usr/bin:/bin"):
        return found
    fix = f"bin/real-parts {part}" if part is not None else "install its package"
    raise Missing(f"there is no program {name}: {fix}")


def certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate of localhost that is its own authority, and its key."""
    made, key = folder / "cert.pem", folder / "key.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
    command += ["-nodes", "-days", "2", "-subj", "/CN=localhost", "-keyout", str(key), "-out", str(made)]
    command += ["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    subprocess.run(command, check=True, capture_output=True)
    return made, key


def make_token(cli: Path) -> str:
    """A token for tunnels, of the agent behind a socket."""
    with httpx.Client(transport=httpx.HTTPTransport(uds=str(cli)), base_url="http://localhost") as owner:
        answer = owner.post("/api/tokens", json={"name": "bench", "scope": "tunnel"})
        return str(answer.raise_for_status().json()["token"])


def services(stack: ExitStack, folder: Path) -> Services:
    """An iperf3 server and a Caddy that says hello; the UDP service is started for each measurement."""
    found = Services(free_port(), free_port(), free_port())
    run(stack, folder, "iperf3", find_program("iperf3"), "-s", "-B", "127.0.0.1", "-p", str(found.iperf))
    caddyfile = folder / "Caddyfile"
    basics = "{\n admin off\n auto_https off\n persist_config off\n}\n"
    caddyfile.write_text(f"{basics}http://:{found.http} {{\n bind 127.0.0.1\n respond hello\n}}\n")
    arguments = ("run", "--adapter", "caddyfile", "--config", str(caddyfile))
    run(stack, folder, "caddy", find_program("caddy"), *arguments)
    wait_for(lambda: listens(found.http), "caddy")
    return found


def openssh(stack: ExitStack, folder: Path, services: Services) -> Started:
    """`ssh -R` to an own sshd with own keys; its default cipher."""
    home = folder / "ssh"
    home.mkdir(mode=0o700)
    for key in ("host", "user"):
        command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(home / key)]
        subprocess.run(command, check=True)
    shutil.copy(home / "user.pub", home / "authorized_keys")
    port, front = free_port(), free_port()
    (home / "sshd_config").write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {home}/host\nAuthorizedKeysFile {home}/authorized_keys\n"
        "PasswordAuthentication no\nKbdInteractiveAuthentication no\nUsePAM no\nStrictModes no\n"
        f"PidFile none\nPermitRootLogin prohibit-password\n"
    )
    if os.getuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)  # sshd does not start as root without it
    server = run(stack, folder, "sshd", find_program("sshd"), "-D", "-e", "-f", str(home / "sshd_config"))
    wait_for(lambda: listens(port), "sshd")
    options = ["StrictHostKeyChecking=no", f"UserKnownHostsFile={home}/known", "ExitOnForwardFailure=yes"]
    command = [find_program("ssh"), "-F", "none", "-N", "-i", str(home / "user"), "-p", str(port)]
    command += [part for option in options for part in ("-o", option)]
    command += ["-R", f"127.0.0.1:{front}:127.0.0.1:{services.iperf}", f"{getpass.getuser()}@127.0.0.1"]
    client = run(stack, folder, "ssh", *command)
    wait_for(lambda: listens(front), "ssh -R")
    return Started([psutil.Process(server.pid), psutil.Process(client.pid)], front)


def frp(stack: ExitStack, folder: Path, services: Services) -> Started:
    """Its TLS is on by default, and so is multiplexing over one connection."""
    server, client = find_program("frps"), find_program("frpc")
    port, web, front, datagrams = (free_port() for _ in range(4))
    host = "frp.tunnel.localhost"
    common = {"log": {"to": "console", "level": "warn"}}
    target = {"localIP": "127.0.0.1"}
    files = {
        "frps": {**common, "bindAddr": "127.0.0.1", "bindPort": port, "vhostHTTPPort": web},
        "frpc": {
            **common,
            "serverAddr": "127.0.0.1",
            "serverPort": port,
            "transport": {"tls": {"enable": True}},
            "proxies": [
                {"name": "t", "type": "tcp", **target, "localPort": services.iperf, "remotePort": front},
                {"name": "u", "type": "udp", **target, "localPort": services.udp, "remotePort": datagrams},
                {"name": "h", "type": "http", **target, "localPort": services.http, "customDomains": [host]},
            ],
        },
    }
    for name, content in files.items():
        (folder / f"{name}.json").write_text(json.dumps(content))
    both = [run(stack, folder, "frps", server, "-c", str(folder / "frps.json"))]
    wait_for(lambda: listens(port), "frps")
    both.append(run(stack, folder, "frpc", client, "-c", str(folder / "frpc.json")))
    wait_for(lambda: listens(front) and answers(web, host), "frpc")
    return Started([psutil.Process(p.pid) for p in both], front, http=web, host=host, udp=datagrams)


def rathole(stack: ExitStack, folder: Path, services: Services) -> Started:
    """With its Noise transport, which needs no certificate."""
    program = find_program("rathole")
    port, front = free_port(), free_port()
    said = subprocess.run([program, "--genkey"], capture_output=True, text=True, check=True).stdout.split()
    private, public = said[said.index("Private") + 2], said[said.index("Public") + 2]
    (folder / "rs.toml").write_text(
        f'[server]\nbind_addr = "127.0.0.1:{port}"\ndefault_token = "bench"\n[server.transport]\ntype = "noise"\n'
        f'[server.transport.noise]\nlocal_private_key = "{private}"\n'
        f'[server.services.t]\nbind_addr = "127.0.0.1:{front}"\n'
    )
    (folder / "rc.toml").write_text(
        f'[client]\nremote_addr = "127.0.0.1:{port}"\ndefault_token = "bench"\n[client.transport]\ntype = "noise"\n'
        f'[client.transport.noise]\nremote_public_key = "{public}"\n'
        f'[client.services.t]\nlocal_addr = "127.0.0.1:{services.iperf}"\n'
    )
    both = [run(stack, folder, "rathole-server", program, "--server", str(folder / "rs.toml"))]
    wait_for(lambda: listens(port), "rathole's server")
    both.append(run(stack, folder, "rathole-client", program, "--client", str(folder / "rc.toml")))
    wait_for(lambda: listens(front), "rathole's client")
    return Started([psutil.Process(p.pid) for p in both], front)


def chisel(stack: ExitStack, folder: Path, services: Services) -> Started:
    """A reverse tunnel; it is encrypted by SSH within a WebSocket, TLS beside that is not needed."""
    program = find_program("chisel")
    port, front = free_port(), free_port()
    both = [
        run(
            stack,
            folder,
            "chisel-server",
            program,
            "server",
            "--reverse",
            "--host",
            "127.0.0.1",
            "-p",
            str(port),
        )
    ]
    wait_for(lambda: listens(port), "chisel's server")
    forward = f"R:127.0.0.1:{front}:127.0.0.1:{services.iperf}"
    both.append(run(stack, folder, "chisel-client", program, "client", f"http://127.0.0.1:{port}", forward))
    wait_for(lambda: listens(front), "chisel's client")
    return Started([psutil.Process(p.pid) for p in both], front)


STARTERS = {"openssh": openssh, "frp": frp, "rathole": rathole, "chisel": chisel}
