from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeportd.origin import Origin
from homeportd.port_range import PortRange
from homeportd.settings import SettingsError, find, load

GOOD = """
origin = "http://{port}.localhost:8080"
port_ranges = ["3000-9999"]
own_ports = [8080]
repo_root = "/srv/homeport/repos"
data_dir = "/srv/homeport/data"
socket_dir = "/run/homeport"
"""


@pytest.mark.parametrize(
    ("pattern", "dashboard", "port_3000"),
    [
        ("http://{port}.localhost:8080", "http://localhost:8080", "http://3000.localhost:8080"),
        ("https://{port}.dev.example.com", "https://dev.example.com", "https://3000.dev.example.com"),
        ("https://{port}-dev.example.com", "https://dev.example.com", "https://3000-dev.example.com"),
        ("http://{port}.box.lan", "http://box.lan", "http://3000.box.lan"),
    ],
)
def test_origin_gives_the_dashboard_and_each_port_an_origin(pattern, dashboard, port_3000):
    origin = Origin(pattern)
    assert (origin.dashboard, origin.of_port(3000)) == (dashboard, port_3000)


@given(st.integers(1, 65535), st.integers(1, 65535))
def test_no_two_ports_share_an_origin_nor_the_dashboards(one, other):
    origin = Origin("https://{port}-dev.example.com")
    assert (origin.of_port(one) == origin.of_port(other)) == (one == other)
    assert origin.of_port(one) != origin.dashboard


@pytest.mark.parametrize(
    "pattern",
    [
        "http://localhost:8080",
        "http://localhost:8080/{port}",
        "ftp://{port}.example.com",
        "http://{port}example.com",
        "http://{port}.{port}.example.com",
        "http://a.{port}.example.com",
        "http://{port}.EXAMPLE.com",
        "http://{port}.example.com/",
        "http://{port}.exa mple.com",
        'http://{port}.example.com" evil',
        "http://{port}.example.com\n",
    ],
)
def test_a_pattern_without_an_own_origin_for_each_port_is_refused(pattern):
    with pytest.raises(ValueError, match="is not of the form"):
        Origin(pattern)


@pytest.mark.parametrize("text", ["", "a", "9-3", "0", "1-70000", "3000-", "-1", "3000 - 4000", "３０００"])
def test_bad_port_ranges_are_refused(text):
    with pytest.raises(ValueError, match="port range"):
        PortRange.parse(text)


def test_load_reads_a_good_file(tmp_path):
    file = tmp_path / "agent.toml"
    file.write_text(GOOD)
    settings = load(file)
    assert settings.covers(3000)
    assert settings.covers(9999)
    assert not settings.covers(8080), "our own listener is no dev server"
    assert not settings.covers(2999)
    assert settings.socket("cli") == Path("/run/homeport/cli.sock")


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        (GOOD.replace("3000-9999", "9-3"), "port_ranges"),
        (GOOD.replace('["3000-9999"]', "[]"), "port_ranges"),
        (GOOD.replace("/srv/homeport/data", "data"), "data_dir"),
        (GOOD + "colour = 'red'\n", "colour"),
        ("origin = [", "TOML"),
        ("", "data_dir"),
        (GOOD.strip().partition("\n")[2], "origin"),
    ],
)
def test_load_names_what_is_wrong(tmp_path, wrong, named):
    file = tmp_path / "agent.toml"
    file.write_text(wrong)
    with pytest.raises(SettingsError, match=named) as caught:
        load(file)
    assert caught.value.fix


def test_load_names_every_mistake_at_once(tmp_path):
    file = tmp_path / "agent.toml"
    file.write_text(GOOD.replace("{port}.localhost", "localhost").replace("/srv/homeport/data", "data"))
    with pytest.raises(SettingsError) as caught:
        load(file)
    assert "origin" in str(caught.value)
    assert "data_dir" in str(caught.value)


def test_load_refuses_a_missing_and_an_endless_file(tmp_path):
    with pytest.raises(SettingsError, match="cannot read"):
        load(tmp_path / "none.toml")
    with pytest.raises(SettingsError, match="larger than"):
        load(Path("/dev/zero"))


def test_find_prefers_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("HOMEPORT_CONFIG", str(tmp_path / "x.toml"))
    assert find() == tmp_path / "x.toml"


def test_find_looks_in_the_home_before_the_system(tmp_path, monkeypatch):
    monkeypatch.delenv("HOMEPORT_CONFIG", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    file = tmp_path / ".config/homeport/agent.toml"
    file.parent.mkdir(parents=True)
    file.write_text(GOOD)
    assert find() == file
