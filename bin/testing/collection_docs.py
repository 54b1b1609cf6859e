"""Write the pages of modules, plugins and roles below docs/ansible: `python bin/testing/collection_docs.py [--check]`.

antsibull-docs describes what lies in a collection. The roles lie beside it, so that a copy of both is described.
With --check the pages are only compared, and the exit status is 1 where they are not what the sources say.
"""

from __future__ import annotations

import filecmp
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
COLLECTION = Path("ansible_collections/homeport/agent")
# Beside it antsibull-docs looks for Ansible's programs.
TOOLS = ROOT / ".venv-test"
PAGES = ROOT / "docs/ansible"
# What antsibull-docs says of a collection that is published; this one is used from the repository alone.
_PUBLISHED = re.compile(
    r"^This (?P<kind>role|[a-z ]+) is part of the .*?(?=^\.\. contents::)", re.MULTILINE | re.DOTALL
)
DOCUMENTED = ("galaxy.yml", "meta", "plugins", "README.md")


def write_pages(folder: Path) -> None:
    """Write the pages into `folder`, which exists. Raises CalledProcessError where a description has mistakes."""
    with tempfile.TemporaryDirectory() as temporary:
        copy = Path(temporary) / COLLECTION
        copy.mkdir(parents=True)
        for name in DOCUMENTED:
            (copy / name).symlink_to(ROOT / "collections" / COLLECTION / name)
        (copy / "roles").symlink_to(ROOT / "roles")
        settings = Path(temporary) / "ansible.cfg"  # the defaults, whatever the caller's says
        settings.touch()
        # One page a module, plugin or role, in one folder; what differs between versions of the tool is left out.
        command = [
            str(TOOLS / "bin/antsibull-docs"),
            "collection",
            "--use-current",
            "--fail-on-error",
            "--squash-hierarchy",
        ]
        command += [
            "--output-format",
            "simplified-rst",
            "--no-add-antsibull-docs-version",
            "--no-breadcrumbs",
        ]
        command += ["--cleanup", "everything", "--dest-dir", str(folder), "homeport.agent"]
        path = f"{TOOLS / 'bin'}:{os.environ['PATH']}"
        env = {
            **os.environ,
            "PATH": path,
            "ANSIBLE_COLLECTIONS_PATH": temporary,
            "ANSIBLE_CONFIG": str(settings),
        }
        subprocess.run(command, env=env, check=True)
    for page in folder.iterdir():
        page.write_text(
            _PUBLISHED.sub(_of_this_repository, page.read_text(encoding="utf-8")), encoding="utf-8"
        )


def _of_this_repository(match: re.Match[str]) -> str:
    folder = "roles" if match["kind"] == "role" else f"collections/{COLLECTION}"
    return f"This {match['kind']} lies in ``{folder}`` of this repository.\n\n"


def stale(folder: Path) -> list[str]:
    """Names of the pages in which `folder` and docs/ansible differ."""
    names = sorted({page.name for pages in (folder, PAGES) if pages.is_dir() for page in pages.iterdir()})
    same, _, _ = filecmp.cmpfiles(folder, PAGES, names, shallow=False)
    return [name for name in names if name not in same]


def main() -> int:
    """Return the exit status."""
    with tempfile.TemporaryDirectory() as temporary:
        fresh = Path(temporary)
        try:
            write_pages(fresh)
        except subprocess.CalledProcessError as error:
            return error.returncode
        if "--check" not in sys.argv:
            shutil.rmtree(PAGES, ignore_errors=True)
            shutil.copytree(fresh, PAGES)
            return 0
        if different := stale(fresh):
            print(
                f"error: not what the sources say: {', '.join(f'docs/ansible/{name}' for name in different)}"
            )
            print("fix: .venv-test/bin/python bin/testing/collection_docs.py")
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
