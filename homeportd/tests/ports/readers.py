"""A running owner reader, and questions to it as other users."""

from __future__ import annotations

import json
import os
import pwd
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

NOBODY = pwd.getpwnam("nobody").pw_uid
AGENT = pwd.getpwnam("daemon").pw_uid  # the agent's user here: an account that owns nothing else
PERSON = pwd.getpwnam("games").pw_uid  # a third one
START_S = 60

# Asks as another user and prints what it was told.
ASK = """
import json, os, sys
from pathlib import Path
from homeportd.ports.owner_reader import client
uid, path, kind, value = int(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], json.loads(sys.argv[4])
os.setgroups([])
os.setgid(65534)
os.setuid(uid)  # what is imported lies where only root may read
if kind == "owners":
    print(client.ask_owners(path, value))
else:
    try:
        print({"tree": client.ask_tree, "dirty": client.ask_dirty}[kind](path, Path(value)))
    except (OSError, ValueError) as error:
        print("refused")
"""


@contextmanager
def reader(user="daemon", before=""):
    """The path of the socket of a reader for that user; `before` is Python that it runs first."""
    folder = Path(tempfile.mkdtemp(prefix="hp"))
    folder.chmod(0o755)  # one that others may enter: pytest closes its own to them
    path = folder / "made" / "w.sock"
    words = ["owner-reader", "--socket", str(path), "--user", user]
    command = [sys.executable, "-c", f"{before}\nfrom homeportd.__main__ import main\nmain()", *words]
    process = subprocess.Popen(command, umask=0o077)
    try:
        deadline = time.monotonic() + START_S
        while not listens(path):
            assert time.monotonic() < deadline, "the reader did not start"
            time.sleep(0.02)
        yield path
        assert process.poll() is None, "the reader ended"
    finally:
        process.terminate()
        assert process.wait(30) in (0, -15)
        shutil.rmtree(folder)


def listens(path):
    """Whether it does by now: a socket is there a moment before."""
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(str(path)) == 0


def asked(uid, path, kind, value):
    """The answer to a question of that user, as Python shows it."""
    command = [sys.executable, "-c", ASK, str(uid), str(path), kind, json.dumps(value)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    answer = subprocess.run(
        command, capture_output=True, text=True, timeout=120, env=environment, check=False
    )
    assert answer.returncode == 0, answer.stderr
    return answer.stdout.strip()


# Listens on a free port as another user in a folder, and prints the port and the socket's inode.
SERVER = """
import os, socket, sys, time
uid, folder = int(sys.argv[1]), sys.argv[2]
os.setgroups([]); os.setgid(int(sys.argv[3])); os.setuid(uid)
os.chdir(folder)
code = '''
import os, socket, time
server = socket.create_server(("127.0.0.1", 0))
print(server.getsockname()[1], os.fstat(server.fileno()).st_ino, flush=True)
time.sleep(600)
'''
os.execv("/usr/bin/python3", ["/usr/bin/python3", "-c", code])  # a program that is started can be looked at
"""


@contextmanager
def server_of(uid, folder):
    """A dev server of that user in a folder: (pid, port, inode)."""
    gid = pwd.getpwuid(uid).pw_gid
    command = [sys.executable, "-c", SERVER, str(uid), str(folder), str(gid)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            port, inode = map(int, process.stdout.readline().split())
            yield process.pid, port, inode
        finally:
            process.kill()
