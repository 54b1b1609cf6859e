"""The command line with the real agent, a real dev server and the real Caddy."""

from __future__ import annotations

import getpass
import http.client
import json
import socket
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ..installation import Machine, machine
from .conftest import Homeport


@pytest.fixture(scope="module")
def whole() -> Iterator[Machine]:
    """One machine for all of these tests."""
    with tempfile.TemporaryDirectory(prefix="hp") as folder, machine(Path(folder)) as made:
        yield made


@pytest.fixture
def homeport(whole: Machine) -> Iterator[Homeport]:
    """The command line of that machine; ends what a test shared."""
    made = Homeport(whole.config)
    yield made
    made.close()
    for port in (whole.dev, whole.free):
        made("unshare", str(port))


def test_a_dev_server_is_listed_under_its_repo(homeport, whole) -> None:
    end = time.monotonic() + 60
    while f"manifold (running: {whole.dev})" not in (page := homeport("list").stdout):
        assert time.monotonic() < end, page
    lines = page.splitlines()

    assert lines[0].startswith(f"manifold (running: {whole.dev})  main")
    assert lines[1].split("  ")[1] == f":{whole.dev}"
    assert "· frontend" in lines[1]
    assert f"http://{whole.dev}.localhost:{whole.front}" in lines[1]


def test_a_share_with_a_password_from_a_pipe(homeport, whole) -> None:
    done = homeport("share", str(whole.dev), "--password-stdin", "--expires", "1h", input="open sesame\n")
    sentence, address = done.stdout.splitlines()

    assert done.returncode == 0
    assert sentence.startswith(f"Anyone with the password can open port {whole.dev} until ")
    assert address == f"http://{whole.dev}.localhost:{whole.front}"
    assert whole.visit(whole.dev) == 401
    login = http.client.HTTPConnection("127.0.0.1", whole.front, timeout=60)
    headers = {
        "Host": f"{whole.dev}.localhost:{whole.front}",
        "Content-Type": "application/x-www-form-urlencoded",
    }
    login.request("POST", "/.homeport/password", "password=open+sesame", headers)
    assert login.getresponse().status == 303  # the newline was not part of it
    login.close()


def test_a_password_typed_at_the_terminal_is_not_seen(homeport, whole) -> None:
    terminal = homeport.on_terminal("share", str(whole.dev), "--password")
    for prompt in (f"New password for port {whole.dev}: ", "The same again: "):
        terminal.wait_for(prompt)
        terminal.type("open sesame\n")

    assert terminal.finish() == 0
    assert "sesame" not in terminal.text
    assert terminal.text.endswith(f"http://{whole.dev}.localhost:{whole.front}\n")


def test_a_share_changes_only_in_what_is_named(homeport, whole) -> None:
    port = str(whole.dev)
    homeport(
        "share", port, "--password-stdin", "--allow", "127.0.0.0/8", "--expires", "7d", input="open sesame"
    )
    before = json.loads(homeport("share", port, "--json").stdout)
    after = json.loads(homeport("share", port, "--host-header", "keep", "--json").stdout)
    assert after["host_header"] == "keep"
    after = json.loads(homeport("share", port, "--expires", "never", "--json").stdout)
    assert after["host_header"] == "keep"
    below = json.loads(homeport("share", port, "--subdomains", "--json").stdout)
    kept = json.loads(homeport("share", port, "--expires", "never", "--json").stdout)
    after = json.loads(homeport("share", port, "--no-subdomains", "--json").stdout)
    assert (below["subdomains"], kept["subdomains"], after["subdomains"]) == (True, True, False)
    again = json.loads(homeport("share", port, "--json").stdout)

    assert (before["mode"], before["allow"]) == ("password", ["127.0.0.0/8"])
    assert (after["mode"], after["allow"], after["expires_at"]) == ("password", ["127.0.0.0/8"], None)
    assert again == after  # naming nothing changes nothing, and throws nobody out


def test_without_options_a_port_stays_private(homeport, whole) -> None:
    done = homeport("share", str(whole.dev))

    assert done.stdout.startswith("Only you can open port")
    assert whole.visit(whole.dev) in (302, 303, 307, 401, 403)


def test_public_and_back(homeport, whole) -> None:
    port = str(whole.dev)
    homeport("share", port, "--public")
    assert whole.visit(whole.dev) == 200
    assert homeport("unshare", port).stdout.startswith(f"Port {port} is private again")
    assert whole.visit(whole.dev) != 200
    again = homeport("unshare", port)
    assert again.returncode == 4
    assert again.stderr.startswith("error: ")


def test_a_port_may_be_shared_before_something_listens(homeport, whole) -> None:
    done = homeport("share", str(whole.free), "--public")

    assert done.stdout.splitlines()[1:] == [
        "Nothing listens there yet; the address works as soon as something does.",
        f"http://{whole.free}.localhost:{whole.front}",
    ]
    assert "nothing listens" in homeport("list").stdout


def test_the_address_of_a_port(homeport, whole) -> None:
    there, free = homeport("url", str(whole.dev)), homeport("url", str(whole.free))

    assert there.stdout == f"http://{whole.dev}.localhost:{whole.front}\n"
    assert there.stderr == ""
    assert free.stdout == f"http://{whole.free}.localhost:{whole.front}\n"
    assert (
        free.stderr == f"note: nothing listens on port {whole.free} now, or it is outside the port ranges\n"
    )
    assert json.loads(homeport("url", str(whole.dev), "--json").stdout)["port"] == whole.dev


@pytest.mark.parametrize(
    "options",
    [("--expires", "banana"), ("--expires", "2020-01-01"), ("--allow", "10.0.0.1/33"), ("--max-uses", "3")],
)
def test_what_the_agent_refuses_changes_nothing(homeport, whole, options) -> None:
    done = homeport("share", str(whole.dev), "--public", *options)

    assert (done.returncode, done.stdout) == (1, "")
    assert "\nfix: " in done.stderr
    assert whole.visit(whole.dev) != 200


def test_the_log_shows_who_came_and_follows(homeport, whole) -> None:
    port = str(whole.dev)
    homeport("share", port, "--public")
    whole.visit(whole.dev)
    end = time.monotonic() + 60
    while "public" not in homeport("logs", port).stdout:
        assert time.monotonic() < end
    following = homeport.start("logs", port, "-n", "1", "-f", "--json")
    assert following.stdout is not None
    first = json.loads(following.stdout.readline())
    whole.visit(whole.dev)
    second = json.loads(following.stdout.readline())
    following.terminate()
    following.communicate(timeout=60)

    assert (first["decision"], first["address"], first["path"]) == ("public", "127.0.0.1", "/")
    assert second["id"] > first["id"]


def test_the_login_link_logs_in_once(homeport, whole) -> None:
    lines = homeport("login-link").stdout.splitlines()
    path = lines[-1].removeprefix(f"http://localhost:{whole.front}")

    def follow() -> tuple[int, bool]:
        connection = http.client.HTTPConnection("127.0.0.1", whole.front, timeout=60)
        connection.request("GET", path, headers={"Host": f"localhost:{whole.front}"})
        answer = connection.getresponse()
        connection.close()
        return answer.status, "homeport_session" in (answer.headers["Set-Cookie"] or "")

    assert follow() == (303, True)
    assert follow()[1] is False


def test_the_password_of_the_dashboard(homeport) -> None:
    assert homeport("password", "--password-stdin", input="open sesame\n").returncode == 0
    short = homeport("password", "--password-stdin", input="short\n")
    assert short.returncode == 1
    assert "8" in short.stderr


def test_tokens_are_made_listed_and_revoked(homeport) -> None:
    token = homeport("token", "create", "ci").stdout.splitlines()[-1]
    listed = json.loads(homeport("token", "list", "--json").stdout)

    assert token.startswith(listed[0]["prefix"])
    assert token not in homeport("token", "list").stdout
    assert homeport("token", "revoke", listed[0]["id"]).returncode == 0
    assert homeport("token", "revoke", listed[0]["id"]).returncode == 4
    assert homeport("token", "revoke", "../ports").returncode in (1, 4)
    assert "homeport token create" in homeport("token", "list").stdout


def test_the_status(homeport, whole) -> None:
    page = homeport("status").stdout

    assert page.startswith("Homeport runs on ")
    assert f"http://localhost:{whole.front}" in page
    assert f"  User       {getpass.getuser()}: homeport_user named this account\n" in page
    assert "             another: bin/site -e homeport_user=NAME\n" in page
    assert json.loads(homeport("status", "--json").stdout)["counts"]["repos"] == 1


def states(homeport: Homeport, *arguments: str) -> dict[str, str]:
    """What `doctor` finds, by check."""
    return {
        check["name"]: check["state"]
        for check in json.loads(homeport("doctor", "--json", *arguments).stdout)["checks"]
    }


def test_the_doctor_finds_a_healthy_machine(homeport, whole) -> None:
    end = time.monotonic() + 60
    # A check has three seconds; whether names below localhost resolve is the machine's affair (test_names_check.py).
    while set(({**(found := states(homeport, str(whole.dev))), "names": "ok"}).values()) != {"ok"}:
        assert time.monotonic() < end, found
    while (done := homeport("doctor", str(whole.dev))).returncode:
        assert time.monotonic() < end, done.stdout

    assert done.stdout.startswith("Every check passes.\n")


def test_the_doctor_fits_a_narrow_terminal(homeport, whole) -> None:
    terminal = homeport.on_terminal("doctor", str(whole.free), columns=40, NO_COLOR="1")

    assert terminal.finish() == 1
    report = terminal.text.rpartition("\x1b[K")[2]
    assert max(len(line) for line in report.splitlines() if "http://" not in line) <= 40
    assert report.startswith("1 of 10 checks fail.\n")
    assert "fix: start the dev server" in report


def test_the_doctor_without_caddy(homeport, whole) -> None:
    whole.stop("caddy")
    try:
        found = states(homeport)
        page = homeport("doctor")
    finally:
        whole.start_caddy()

    assert (found["agent"], found["caddy"], found["decisions"]) == ("ok", "fail", "fail")
    assert page.returncode == 1
    assert f"nothing answers at http://localhost:{whole.front}" in page.stdout


def test_the_doctor_with_something_else_in_caddys_place(homeport, whole) -> None:
    whole.stop("caddy")
    try:
        with socket.create_server(("127.0.0.1", whole.front)):
            silent = homeport("doctor").stdout
    finally:
        whole.start_caddy()

    assert "time-out" in silent


def test_the_doctor_without_the_agent(homeport, whole) -> None:
    whole.stop("agent")
    try:
        found = states(homeport, str(whole.dev))
        page = homeport("doctor").stdout
    finally:
        whole.start_agent()

    assert (found["agent"], found["sockets"], found["caddy"]) == ("fail", "fail", "fail")
    assert found["listener"] == "skipped"
    assert "Caddy is up, and does not reach the agent" in page
    assert "fix: mend the agent first" in page


def test_the_doctor_with_a_broken_settings_file(homeport, folder) -> None:
    broken = folder / "agent.toml"
    broken.write_text(f'socket_dir = "{folder}"\norigin = "http://localhost"\n')
    homeport.environment["HOMEPORT_CONFIG"] = str(broken)
    done = homeport("doctor")

    assert done.returncode == 1
    assert "✗ settings" in done.stdout
    assert "origin" in done.stdout


def test_the_doctor_with_a_server_that_speaks_no_http(homeport, whole) -> None:
    with socket.create_server(("127.0.0.1", whole.free)):
        end = time.monotonic() + 60
        while f":{whole.free}" not in homeport("list").stdout:
            assert time.monotonic() < end
        found = states(homeport, str(whole.free))

    assert (found["listener"], found["dev server"]) == ("ok", "fail")
