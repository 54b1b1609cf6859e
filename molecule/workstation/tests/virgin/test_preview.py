"""`--check` on machines that know nothing of Homeport: it says what it would do, and does nothing."""

import pytest
from machines import newer, preview
from testinfra.host import Host

testinfra_hosts = ["ansible://workstation"]


@pytest.fixture(scope="module")
def previewed() -> dict[str, dict[str, int]]:
    return preview("workstation")


def test_preview_says_what_it_would_do(host: Host, previewed: dict[str, dict[str, int]]) -> None:
    counts = previewed[host.backend.host]
    assert counts["failed"] == 0
    assert counts["changed"] > 0


def test_preview_changes_no_file(host: Host, previewed: dict[str, dict[str, int]]) -> None:
    assert newer(host) == []


def test_preview_leaves_no_trace_of_homeport(host: Host, previewed: dict[str, dict[str, int]]) -> None:
    for path in (
        "/opt/homeport",
        "/srv/homeport",
        "/etc/homeport",
        "/run/homeport",
        "/usr/local/bin/homeport",
    ):
        assert not host.file(path).exists, path
    assert not host.group("homeport").exists
    assert not host.run("systemctl list-unit-files 'homeport*' --no-legend").stdout
