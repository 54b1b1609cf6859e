"""What the doctor says of the disk: by figures, and on a file system that is nearly full."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from homeportd.cli.doctor import disk_check

from .conftest import HOMEPORT, Homeport

DATA, ROOT = Path("/var/lib/homeport"), Path("/")
IN_OWN_NAMESPACE = ("unshare", "--user", "--map-root-user", "--mount")


@pytest.mark.parametrize(
    ("free", "files", "state", "said"),
    [
        (50 * 1000**3, 10**6, "ok", "50.0 GB free for /var/lib/homeport"),
        (50 * 1000**3, None, "ok", "50.0 GB free"),
        (999 * 1000**2, 10**6, "note", "999 MB free"),
        (99 * 1000**2, 10**6, "fail", "99.0 MB free for /var/lib/homeport: what is new may not be kept"),
        (0, None, "fail", "0 B free"),
        (50 * 1000**3, 12, "fail", "/ can take 12 more files"),
    ],
)
def test_what_free_space_means(free, files, state, said) -> None:
    check = disk_check.assess(DATA, free, files, ROOT)

    assert check.state == state
    assert said in check.detail
    assert (check.fix is None) is (state == "ok")


def test_a_folder_that_is_not_made_yet(tmp_path) -> None:
    check = disk_check.disk([tmp_path / "not" / "made"])

    assert check.state in ("ok", "note", "fail")
    assert str(tmp_path / "not" / "made") in check.detail


def has_namespaces() -> bool:
    return (
        shutil.which("unshare") is not None
        and subprocess.run([*IN_OWN_NAMESPACE, "true"], capture_output=True, check=False).returncode == 0
    )


@pytest.mark.skipif(not has_namespaces(), reason="mounts a file system in a namespace of its own")
def test_the_doctor_on_a_disk_that_is_full(homeport: Homeport, folder: Path) -> None:
    data = folder / "data"
    data.mkdir()
    Path(homeport.environment["HOMEPORT_CONFIG"]).write_text(
        'origin = "http://{port}.localhost:1"\nport_ranges = ["3000-9999"]\nown_ports = [1]\n'
        f'repo_root = "{folder}"\ndata_dir = "{data}"\nsocket_dir = "{folder}"\n'
    )
    script = f'mount -t tmpfs -o size=8m none "{data}" && exec "{HOMEPORT}" doctor --json'
    done = subprocess.run(
        [*IN_OWN_NAMESPACE, "sh", "-c", script],
        env=homeport.environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    check = next(each for each in json.loads(done.stdout)["checks"] if each["name"] == "disk")
    assert done.returncode == 1
    assert (check["state"], check["fix"].partition(":")[0]) == ("fail", f"make room on {data}")
    assert "MB free" in check["detail"]
