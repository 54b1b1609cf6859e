"""What the steps of bin/test need on the machine: Debian packages, and the tools in .venv-test."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shlex
import shutil
import subprocess
import sys
import time
from pathlib import Path

from testing.environment import ROOT, environment

COLLECTION = Path("collections/ansible_collections/homeport/agent")  # below ROOT
TOOLS = ROOT / ".venv-test"
LOGS = ROOT / ".cache" / "test"
LOCK = ROOT / "requirements" / "test.txt"
# bin/site's lock; its Node.js serves where the machine has none.
SITE_LOCK = ROOT / "requirements" / "site.txt"
BUSY_S, POLL_S = 900, 0.5  # a whole run; and between two looks whether it has ended

# Debian package -> why, asked of whoever is not root.
PACKAGES = {
    "python3-venv": "the tools' own environment",
    "git": "tests make repositories",
    "openssh-client": "Ansible reaches the machines by SSH",
    "podman": "machines for Molecule and bin/site",
    "runc": "runs containers where crun cannot",
    "netavark": "the machines' network",
    "aardvark-dns": "the machines' names",
    "iptables": "the machines' published ports",
    "mmdebstrap": "base images where no registry serves them",
    "debian-archive-keyring": "base images",
    "chromium": "tests drive the dashboard in it",
    "nftables": "checks the rendered firewall",
    "knot": "a DNS server, which has the domains of tests",
    "pebble": "an ACME authority, which gives them certificates",
    "iproute2": "networks that tests cut",
    "systemd": "checks the rendered units",
}
# Ubuntu's chromium package only installs a snap, which its CI machines replace by Google Chrome.
BROWSERS = ("chromium", "google-chrome", "google-chrome-stable", "chromium-browser")


def install_packages() -> None:
    """Install the missing Debian packages; leave without them where that is not possible or not wanted."""
    if not shutil.which("dpkg-query"):
        print("left out: system packages (this is not Debian or Ubuntu)")
        return
    wanted = dict(PACKAGES)
    if any(shutil.which(browser) for browser in BROWSERS):
        del wanted["chromium"]
    listed = subprocess.run(
        ["dpkg-query", "-W", "-f=${Package} ${db:Status-Abbrev}\n", *wanted],
        capture_output=True,
        text=True,
        check=False,
    ).stdout
    present = {line.split()[0] for line in listed.splitlines() if " ii" in line}
    missing = {name: why for name, why in wanted.items() if name not in present}
    if not missing:
        return
    root = os.geteuid() == 0
    if not root and os.environ.get("CI") != "true":
        print("These packages are missing:")
        for name, why in missing.items():
            print(f"  {name:<24}{why}")
        answer = input("Install them with sudo? [y/N] ") if sys.stdin.isatty() else "n"
        if answer.strip().lower() not in {"y", "yes"}:
            print("left out: what needs them")
            return
    started = time.monotonic()
    sudo = [] if root else ["sudo"]
    apt = [*sudo, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get"]
    LOGS.mkdir(parents=True, exist_ok=True)
    with (LOGS / "packages.log").open("wb") as log:
        subprocess.run([*apt, "update"], stdout=log, stderr=log, check=False)
        every = [*apt, "install", "-y", "--no-install-recommends"]
        if subprocess.run([*every, *missing], stdout=log, stderr=log, check=False).returncode:
            # One that this release does not have must not keep the others away.
            for name, why in missing.items():
                if subprocess.run([*every, name], stdout=log, stderr=log, check=False).returncode:
                    print(f"left out: {name}, {why} (see .cache/test/packages.log)")
    print(f"ok       {'packages':<14}{time.monotonic() - started:7.1f} s  {' '.join(missing)}", flush=True)


def install_tools() -> None:
    """Make .venv-test equal to the lock, once for each state of lock and Python.

    This process holds it from then on: another one that would make it anew waits, for BUSY_S at most.
    """
    locks = [LOCK] if shutil.which("npm") else [LOCK, SITE_LOCK]
    contents = b"".join(lock.read_bytes() for lock in locks)
    state = hashlib.sha256(contents + sys.version.encode()).hexdigest()
    stamp = TOOLS / "lock.sha256"
    LOGS.mkdir(parents=True, exist_ok=True)
    held = os.open(LOGS / "tools.lock", os.O_RDWR | os.O_CREAT, 0o644)  # until this process ends
    fcntl.flock(held, fcntl.LOCK_SH)
    while not stamp.is_file() or stamp.read_text() != state:
        hold_alone(held)
        if not stamp.is_file() or stamp.read_text() != state:
            make_tools(locks)
            stamp.write_text(state)
        fcntl.flock(held, fcntl.LOCK_SH)


def hold_alone(held: int) -> None:
    """Take the lock on .venv-test when no other process uses it."""
    deadline = time.monotonic() + BUSY_S
    said = False
    while True:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise SystemExit(
                    "error: another process of this checkout uses .venv-test, and the lock has changed since\n"
                    "fix: wait for that bin/test to end, or end it"
                ) from None
        else:
            return
        if not said:
            print("waits for another bin/test, which uses .venv-test", file=sys.stderr, flush=True)
            said = True
        time.sleep(POLL_S)


def make_tools(locks: list[Path]) -> None:
    """Make .venv-test anew."""
    started = time.monotonic()
    python = TOOLS / "bin" / "python"
    env = environment(os.environ, TOOLS, LOGS)
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    try:
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(TOOLS)], env=env, check=True)
        subprocess.run([*pip, "--require-hashes", "-r", str(LOCK.with_name("uv.txt"))], env=env, check=True)
        command = [str(TOOLS / "bin" / "uv"), "pip", "sync", "--quiet", "--python", str(python)]
        subprocess.run([*command, "--require-hashes", *map(str, locks)], env=env, check=True)
        editable = [str(TOOLS / "bin" / "uv"), "pip", "install", "--quiet", "--python", str(python)]
        editable += ["--no-deps", "--no-build-isolation", "--editable", str(ROOT / "homeportd")]
        subprocess.run(editable, env=env, check=True)
    except subprocess.CalledProcessError as error:
        raise SystemExit(
            f"error: {shlex.join(error.cmd)} ended with {error.returncode}\n"
            "fix: read its message above; the usual causes are no network and a full disk"
        ) from None
    print(f"ok       {'tools':<14}{time.monotonic() - started:7.1f} s", flush=True)
