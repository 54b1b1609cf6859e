"""The jobs that install extensions of the editor, by a program that stands in for Node with code-server's entry."""

from __future__ import annotations

import pytest

from homeportd.editor.extensions import Extensions
from homeportd.editor.settings import EditorSettings
from homeportd.jobs import service
from homeportd.jobs.model import State

INSTALLER = """\
#!/bin/sh
while [ $# -gt 0 ]; do
  case $1 in --install-extension) id=$2 ;; --extensions-dir) folder=$2 ;; esac
  shift
done
case $id in
  absent.*) echo "Failed Installing Extensions: $id" >&2 ;;
  *) mkdir "$folder/$id-1.0.0" && echo "Extension $id was installed" ;;
esac
"""


@pytest.fixture
def extensions(tmp_path, jobs):
    """Of an editor that wants one which its registry has, and one which it has not."""
    node = tmp_path / "node"
    node.write_text(INSTALLER)
    node.chmod(0o755)
    (tmp_path / "extensions").mkdir()
    settings = EditorSettings(
        node=node,
        program=tmp_path / "entry.js",
        data=tmp_path / "data",
        extensions=tmp_path / "extensions",
        wanted_extensions=("ada.good", "absent.one"),
        path=tmp_path,
    )
    return Extensions(settings, jobs)


async def ended(jobs):
    return {job.subject: await jobs.ended(job.id) for job in jobs.all()}


async def test_each_that_is_missing_is_a_job_and_one_that_fails_is_told(extensions, jobs, tmp_path):
    await extensions.install_missing()
    found = await ended(jobs)
    assert found["ada.good"].state is State.DONE
    assert (tmp_path / "extensions/ada.good-1.0.0").is_dir()
    assert found["absent.one"].state is State.FAILED
    assert "absent.one could not be installed" in found["absent.one"].error.detail
    said = [line.text for line in await jobs.log(found["absent.one"].id)]
    assert "Failed Installing Extensions: absent.one" in said
    await extensions.install_missing()
    assert len(jobs.all()) == 2  # neither is tried again in the life of the agent


async def test_one_that_had_to_wait_is_tried_at_the_next_start(extensions, jobs, monkeypatch):
    monkeypatch.setattr(service, "MAX_WAITING", 0)
    await extensions.install_missing()
    assert jobs.all() == []
    monkeypatch.undo()
    await extensions.install_missing()
    assert set(await ended(jobs)) == {"ada.good", "absent.one"}
