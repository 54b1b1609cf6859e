"""`--check` on machines that know nothing of Homeport: it says what it would do, and does nothing."""

import pytest
from machines import newer, preview
from testinfra.host import Host

testinfra_hosts = ["ansible://edge"]


@pytest.fixture(scope="module")
def previewed() -> dict[str, dict[str, int]]:
    return preview("edge")


def test_preview_says_what_it_would_do(host: Host, previewed: dict[str, dict[str, int]]) -> None:
    counts = previewed[host.backend.host]
    assert counts["failed"] == 0
    assert counts["changed"] > 0


def test_preview_changes_nothing(host: Host, previewed: dict[str, dict[str, int]]) -> None:
    assert newer(host) == []
    assert not host.group("homeport").exists
    assert not host.file("/etc/sysctl.d/60-homeport-edge.conf").exists
    assert not host.run("systemctl list-unit-files 'homeport*' --no-legend").stdout
