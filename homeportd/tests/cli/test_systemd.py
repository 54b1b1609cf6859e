"""The unit of the tunnel daemon as text; the molecule scenarios run it."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from homeportd.cli.service_managers import systemd


def test_arguments_are_what_they_are() -> None:
    unit = systemd.text(['/home/a b/100%/py"thon\\$x', "-m", "it"])
    assert 'ExecStart=:"/home/a b/100%%/py\\"thon\\\\$x" "-m" "it"\n' in unit


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd-analyze")
def test_systemd_finds_nothing_wrong_with_it(tmp_path) -> None:
    program = tmp_path / "a 50% off"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    file = tmp_path / systemd.NAME
    file.write_text(systemd.text([str(program), "daemon", "run"]))
    done = subprocess.run(
        ["systemd-analyze", "--user", "verify", file],
        capture_output=True,
        text=True,
        check=False,
        env={"XDG_RUNTIME_DIR": str(tmp_path), "PATH": "/usr/bin:/bin"},
    )
    assert (done.returncode, done.stderr) == (0, "")
