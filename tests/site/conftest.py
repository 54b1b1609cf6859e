"""Bare containers, into which a checkout is copied as a person would clone it."""

import io
import os
import re
import shutil
import subprocess
import sys
import tarfile
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent
CAS = Path("/usr/local/share/ca-certificates")
BUILD_S = 600
SITE_S = 900


def podman_environment() -> dict[str, str]:
    """As in .ci/molecule: tell podman about a hybrid cgroup layout."""
    if Path("/sys/fs/cgroup/unified").is_dir():
        return {**os.environ, "CONTAINERS_CONF": str(ROOT / ".ci/containers.conf")}
    return dict(os.environ)


def podman(
    *arguments: str, stdin: bytes | None = None, timeout: float = BUILD_S
) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        ["podman", *arguments],
        input=stdin,
        env=podman_environment(),
        capture_output=True,
        timeout=timeout,
        check=False,
    )


def home_of(user: str) -> str:
    return "/root" if user == "root" else f"/home/{user}"


@dataclass(frozen=True)
class Bare:
    """A container whose PID 1 is `sleep`, with a person `user` who has cloned this checkout to ~/homeport."""

    name: str
    user: str

    @property
    def home(self) -> str:
        return home_of(self.user)

    @property
    def bystander(self) -> str:
        """An account beside root's, which is nobody's: the images of clouds bring one."""
        return "debian" if self.user == "root" else ""

    def run(self, command: str, user: str = "", timeout: float = 120) -> subprocess.CompletedProcess[str]:
        """Run a shell command as the person (or `user`) in their home; stderr joins stdout."""
        user = user or self.user
        home = home_of(user)
        shell = f"exec 2>&1; {command}"
        result = podman(
            *("exec", f"--user={user}", f"--workdir={home}", f"--env=HOME={home}"),
            *("--env=NO_COLOR=1", self.name, "sh", "-c", shell),
            timeout=timeout,
        )
        output = result.stdout.decode(errors="replace")
        return subprocess.CompletedProcess(command, result.returncode, output, "")

    def check(self, command: str, user: str = "", timeout: float = 120) -> str:
        """As `run`, for what must succeed; the output."""
        result = self.run(command, user, timeout)
        assert result.returncode == 0, f"{command} ended with {result.returncode}\n{result.stdout}"
        return result.stdout

    def site(self, arguments: str = "") -> str:
        """Run bin/site in the clone; its output."""
        return self.check(f"cd homeport && bin/site {arguments}", timeout=SITE_S)

    def take_builds(self) -> None:
        """Bring what bin/test has built of this checkout, as an earlier run of bin/site would have left it."""
        subprocess.run(
            [sys.executable, ROOT / "bin/build-wheel"], capture_output=True, check=True, timeout=BUILD_S
        )
        built = [".cache/site/wheels", "homeportd/src/homeportd/static"]
        self.unpack(
            subprocess.run(["tar", "--create", *built], cwd=ROOT, capture_output=True, check=True).stdout
        )

    def unpack(self, sources: bytes) -> None:
        """Put the files of a tar into the clone."""
        self._feed(sources, "tar", "-x", "--no-same-owner")

    def pull(self, earlier: bytes) -> None:
        """Replace the files of `earlier`, a tar, by this checkout's, as `git pull` does: files not in git stay."""
        with tarfile.open(fileobj=io.BytesIO(earlier)) as archive:
            names = [member.name for member in archive if not member.isdir()]
        self._feed("\0".join(names).encode(), "xargs", "-0", "rm", "--")
        self.unpack(checkout())

    def _feed(self, stdin: bytes, *command: str) -> None:
        within = (f"--user={self.user}", f"--workdir={self.home}/homeport", self.name)
        result = podman("exec", "-i", *within, *command, stdin=stdin)
        assert result.returncode == 0, result.stderr


def changed(output: str) -> int:
    """The sum of changed= in Ansible's recap."""
    counts = re.findall(r"ok=\d+\s+changed=(\d+)", output)
    assert counts, output
    return sum(map(int, counts))


def checkout() -> bytes:
    """A tar of what a clone would hold: files under version control, as they are now."""
    names = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    ).stdout
    present = b"\0".join(name for name in names.split(b"\0") if name and (ROOT / os.fsdecode(name)).is_file())
    return subprocess.run(
        # Modes as git gives them under the usual umask, whatever the umask of this clone.
        ["tar", "--create", "--null", "--files-from=-", "--owner=0", "--group=0", "--mode=u+rwX,go=u-w"],
        cwd=ROOT,
        input=present,
        capture_output=True,
        check=True,
    ).stdout


def image(release: str) -> str:
    """The bare image of a Debian release, made when it is missing."""
    if not shutil.which("podman"):
        pytest.skip("left out: podman is not installed")
    base = f"docker.io/library/debian:{release}"
    tag = f"localhost/homeport-bare:{release}"
    seed = subprocess.run(
        [ROOT / "molecule/images/seed-base", base],
        env=podman_environment(),
        capture_output=True,
        check=False,
        timeout=BUILD_S,
    )
    if seed.returncode:
        pytest.skip(f"left out: no base image of {base}: {seed.stderr.decode(errors='replace')[-500:]}")
    options = ["--quiet", "--pull=missing", f"--build-arg=BASE={base}", f"--tag={tag}"]
    built = podman("build", *options, str(HERE))
    assert built.returncode == 0, built.stderr.decode(errors="replace")
    return tag


@pytest.fixture(scope="module")
def bare() -> Iterator[Callable[..., Bare]]:
    """Makes fresh containers of (release, user[, sources]); they go when the tests of the file are through."""
    with ExitStack() as ending:

        def make(release: str, user: str, sources: bytes | None = None) -> Bare:
            name = f"hp-bare-{uuid.uuid4().hex[:8]}"
            started = podman("run", "--detach", f"--name={name}", "--hostname=bare", image(release))
            assert started.returncode == 0, started.stderr.decode(errors="replace")
            ending.callback(podman, "rm", "--force", "--time=0", "--volumes", name)
            machine = Bare(name, user)
            for certificate in sorted(CAS.glob("*.crt")):
                copied = podman("cp", str(certificate), f"{name}:{CAS}/")
                assert copied.returncode == 0, copied.stderr
            machine.check("update-ca-certificates", user="root")
            account = machine.bystander or user
            machine.check(f"useradd --uid=1000 --create-home --shell /bin/bash {account}", user="root")
            machine.check("mkdir homeport")
            machine.unpack(checkout() if sources is None else sources)
            # 850 MB; the editor is tried by itself, homeportd/tests/browser/test_editor.py.
            machine.check(
                "echo 'code_server_enabled: false' > homeport/inventory/local/group_vars/workstation.yml"
            )
            return machine

        yield make
