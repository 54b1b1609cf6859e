"""The main job on a real machine: a dev server appears, is shared with a password, and is closed again."""

import base64
import json
from collections.abc import Callable

import pytest
from machines import wait_for
from testinfra.host import Host

from conftest import PASSWORD, PORT, REPO, SEEN_WITHIN_S, Answer, as_user

testinfra_hosts = ["ansible://workstation"]

ORIGIN = f"{PORT}.localhost"
BASIC = "Authorization: Basic " + base64.b64encode(f"me:{PASSWORD}".encode()).decode()

pytestmark = pytest.mark.usefixtures("dev_server")


@pytest.fixture
def shared(host: Host) -> None:
    as_user(host, f"echo {PASSWORD} | homeport share {PORT} --password-stdin --expires 24h")


def test_port_appears_under_its_repo(host: Host, homeport: Callable[[str], object]) -> None:
    def seen() -> object:
        return next((port for port in homeport("list")["ports"] if port["port"] == PORT), None)

    port = wait_for(seen, SEEN_WITHIN_S + 1)
    assert port["repo"] == "demo"
    assert port["cwd"] == REPO
    assert port["listening"] is True


def test_port_is_private_by_default(host: Host, curl: Callable[..., Answer]) -> None:
    host.run("runuser -l dev -c %s", f"homeport unshare {PORT}")
    answer = curl(ORIGIN, "/", "Accept: */*")
    assert answer.status in {401, 403}
    assert "hello from demo" not in answer.body


@pytest.mark.usefixtures("shared")
def test_password_opens_it_and_nothing_else_does(curl: Callable[..., Answer]) -> None:
    closed = curl(ORIGIN, "/", "Accept: */*")
    assert closed.status == 401
    assert closed.headers["www-authenticate"].startswith("Basic")
    wrong = base64.b64encode(b"me:wrong").decode()
    assert curl(ORIGIN, "/", "Accept: */*", f"Authorization: Basic {wrong}").status == 401
    opened = curl(ORIGIN, "/", "Accept: */*", BASIC)
    assert opened.status == 200
    assert "hello from demo" in opened.body


@pytest.mark.usefixtures("shared")
def test_browser_gets_a_page_with_a_form(curl: Callable[..., Answer]) -> None:
    page = curl(ORIGIN, "/", "Accept: text/html")
    assert page.status == 401
    assert "/.homeport/password" in page.body


@pytest.mark.usefixtures("shared")
def test_visits_are_logged_without_the_password(host: Host, curl: Callable[..., Answer]) -> None:
    curl(ORIGIN, "/visited?secret=query", "Accept: */*", BASIC)

    def visit() -> object:
        rows = json.loads(as_user(host, f"homeport logs {PORT} --json"))
        return next((row for row in rows if row["path"] == "/visited"), None)

    row = wait_for(visit)
    assert row["decision"] == "basic"
    assert row["address"] == "127.0.0.1"
    assert "secret=query" not in json.dumps(row)
    assert PASSWORD not in json.dumps(row)


def test_old_address_redirects(curl: Callable[..., Answer]) -> None:
    answer = curl("localhost", f"/{PORT}/a%20b?x=1")
    assert answer.status == 307
    assert answer.headers["location"] == f"http://{ORIGIN}:8080/a%20b?x=1"


def test_unknown_name_is_refused(curl: Callable[..., Answer]) -> None:
    assert curl("evil.example").status == 421


def test_dashboard_is_there(curl: Callable[..., Answer]) -> None:
    answer = curl("localhost", "/", "Accept: text/html")
    assert answer.status == 200
    assert "<html" in answer.body


@pytest.mark.usefixtures("shared")
def test_agent_down_means_closed(host: Host, curl: Callable[..., Answer]) -> None:
    host.check_output("systemctl stop homeportd.service")
    try:
        answer = curl(ORIGIN, "/", "Accept: */*", BASIC)
    finally:
        host.check_output("systemctl start homeportd.service")
    assert answer.status == 503
    assert "hello from demo" not in answer.body
    wait_for(lambda: curl(ORIGIN, "/", "Accept: */*", BASIC).status == 200)


def test_killed_agent_comes_back(host: Host) -> None:
    host.check_output("systemctl kill --signal=KILL --kill-whom=main homeportd.service")
    wait_for(lambda: host.run("runuser -l dev -c %s", "homeport status").rc == 0, 20)


@pytest.mark.usefixtures("shared")
def test_no_secret_in_the_logs(host: Host) -> None:
    journal = host.check_output("journalctl --no-pager --output=cat --unit=homeportd --unit=homeport-caddy")
    assert journal
    for secret in (PASSWORD, "secret=query", BASIC.split()[-1]):
        assert secret not in journal


def test_share_is_left_for_the_reboot(host: Host, shared: None) -> None:
    """The last test of this stage; the next stage looks for this share."""
    ports = json.loads(as_user(host, "homeport list --json"))["ports"]
    assert next(port for port in ports if port["port"] == PORT)["share"]["mode"] == "password"
