"""The installed command: arguments, exit codes, terminals and pipes. No agent is needed for these."""

from __future__ import annotations

import json
import signal
import subprocess
from pathlib import Path

import pytest

from .canned import access, canned, port, repo, share
from .conftest import HOMEPORT, TIMEOUT, offered, press_tab

LISTED = {
    "/api/ports": [port(3000, share(3000, mode="public", generation=1), repo="manifold"), port(8000)],
    "/api/repos": [repo("manifold", [3000])],
}


def test_the_help_has_examples_and_exit_codes(homeport) -> None:
    for command in ((), ("share",), ("token", "create"), ("doctor",)):
        page = homeport(*command, "--help")
        assert page.returncode == 0
        assert "\n    homeport " in page.stdout
        assert "agent is not reachable\n" in page.stdout


def test_no_arguments_at_all_are_a_question(homeport) -> None:
    assert homeport().stdout == homeport("--help").stdout


def test_the_version(homeport) -> None:
    assert homeport("--version").stdout.startswith("homeport 0.")


@pytest.mark.parametrize(
    "text", ["0", "70000", "abc", "-1", "3000x", "٣٠٠٠", "3_000", "", "99999999999999999999"]
)
def test_what_is_no_port_is_wrong_usage(homeport, text) -> None:
    done = homeport("url", "--", text)

    assert done.returncode == 2
    assert "is not a port: write a number from 1 to 65535" in done.stderr
    assert "\nfix: " in done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("share", "3000", "--public", "--password"), "error: --password and --public exclude each other"),
        (("share", "3000", "--private", "--password-stdin"), "exclude each other"),
        (("share", "3000", "--max-uses", "0"), "--max-uses"),
        (("share", "3000", "--max-uses", "many"), "--max-uses"),
        (("share",), "Missing argument 'PORT'"),
        (("token", "bogus"), "No such command 'bogus'"),
        (("token", "--json", "list"), "--json belongs behind the command"),
        (("shar", "3000"), "Did you mean 'share'"),
        (("share", "3000", "--publik"), "No such option"),
        (("logs", "3000", "-n", "0"), "greater than or equal to 1"),
        (("share", "3000", "--password"), "error: there is no terminal to ask for the password"),
    ],
)
def test_wrong_usage_says_what_to_do(homeport, folder, arguments, said) -> None:
    with canned(folder, {"/api/health": {"status": "ok"}}):
        done = homeport(*arguments)

    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert "\nfix: " in done.stderr


@pytest.mark.parametrize("arguments", [("--password", "hunter2"), ("--password=hunter2",)])
def test_a_password_among_the_arguments_is_refused_and_not_repeated(homeport, arguments) -> None:
    done = homeport("share", "3000", *arguments)

    assert done.returncode == 2
    assert "--password takes no value" in done.stderr
    assert "hunter2" not in done.stderr + done.stdout


@pytest.mark.parametrize("text", ["", "\n", b"\xff\n", "x" * 5000])
def test_a_password_from_a_pipe_must_be_one(homeport, folder, text) -> None:
    with canned(folder, {"/api/health": {"status": "ok"}}):
        done = homeport("share", "3000", "--password-stdin", input=text)

    assert done.returncode == 2
    assert done.stderr.startswith("error: ")


@pytest.mark.parametrize(
    "command",
    [("list",), ("ports",), ("status",), ("url", "1"), ("token", "list"), ("token",), ("login-link",)],
)
def test_without_an_agent_every_command_says_so(homeport, command) -> None:
    done = homeport(*command)

    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.startswith("error: the agent does not run")
    assert "\nfix: " in done.stderr


def test_a_person_is_not_asked_for_a_password_in_vain(homeport) -> None:
    terminal = homeport.on_terminal("share", "3000", "--password")

    assert terminal.finish() == 3
    assert "password for" not in terminal.text


def test_a_password_typed_twice_differently(homeport, folder) -> None:
    with canned(folder, {"/api/health": {"status": "ok"}}):
        terminal = homeport.on_terminal("share", "3000", "--password")
        terminal.wait_for("New password for port 3000: ")
        terminal.type("first\n")
        terminal.wait_for("The same again: ")
        terminal.type("second\n")
        code = terminal.finish()

    assert code == 2
    assert "error: the two passwords differ" in terminal.text
    assert "first" not in terminal.text
    assert "second" not in terminal.text


def test_ctrl_c_at_the_prompt(homeport, folder) -> None:
    with canned(folder, {"/api/health": {"status": "ok"}}):
        terminal = homeport.on_terminal("share", "3000", "--password")
        terminal.wait_for("New password for port 3000: ")
        terminal.type("\x03")
        code = terminal.finish()

    assert code == 130
    assert "Traceback" not in terminal.text


def test_a_terminal_gets_colour_and_its_width(homeport, folder) -> None:
    with canned(folder, LISTED):
        terminal = homeport.on_terminal("list", columns=40)
        terminal.finish()

    assert "\x1b[32mpublic\x1b[0m" in terminal.text
    assert "http://" not in terminal.text  # an address does not fit, and is not cut


@pytest.mark.parametrize("environment", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_colour_can_be_refused(homeport, folder, environment) -> None:
    with canned(folder, LISTED):
        terminal = homeport.on_terminal("list", **environment)
        terminal.finish()

    assert "\x1b" not in terminal.text
    assert "public" in terminal.text


def test_a_pipe_gets_plain_text_in_full(homeport, folder) -> None:
    with canned(folder, LISTED):
        done = homeport("list", COLUMNS="20")

    assert "\x1b" not in done.stdout
    assert "http://3000.localhost:8080" in done.stdout


def test_an_encoding_without_our_characters_is_no_error(homeport, folder) -> None:
    with canned(folder, {"/api/ports": [port(3000, subdir="frontend")], "/api/repos": []}):
        done = homeport("list", PYTHONIOENCODING="ascii", PYTHONUTF8="0")

    assert done.returncode == 0
    assert "python ? frontend" in done.stdout


def test_json_is_the_objects_of_the_api(homeport, folder) -> None:
    with canned(folder, LISTED):
        assert json.loads(homeport("list", "--json").stdout) == {
            "repos": LISTED["/api/repos"],
            "ports": LISTED["/api/ports"],
        }
        assert json.loads(homeport("ports", "--json").stdout) == LISTED["/api/ports"]


def test_a_reader_that_leaves_early_is_no_error(homeport, folder) -> None:
    with canned(folder, {"/api/ports": [port(3000, command="x" * 1_000_000)]}):
        command = homeport.start("ports", "--json")
        assert command.stdout is not None
        assert command.stderr is not None
        command.stdout.readline()
        command.stdout.close()
        complaint = command.stderr.read()
        command.stderr.close()
        code = command.wait(TIMEOUT)

    assert (code, complaint) == (141, "")


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-"])
def test_closed_standard_streams(homeport, folder, closed) -> None:
    with canned(folder, LISTED):
        done = subprocess.run(
            ["sh", "-c", f'exec "$0" list {closed}', HOMEPORT],
            capture_output=True,
            env=homeport.environment,
            text=True,
            check=False,
        )

    assert (done.returncode, done.stderr) == (0, "")
    assert bool(done.stdout) is (closed == "2>&-")


def test_a_laptop_with_tunnels_alone_is_told_so(homeport, folder) -> None:
    homeport.environment |= {"HOME": str(folder), "HOMEPORT_CONFIG": str(folder / "none.toml")}
    assert "or name the file" in homeport("list").stderr
    account = folder / ".config/homeport/edge.toml"
    account.parent.mkdir(parents=True)
    account.touch(mode=0o600)
    account.write_text('url = "http://127.0.0.1:1"\ntoken = "hp_x"\n')

    assert "fix: homeport tunnels shows the tunnels" in homeport("list").stderr
    listed = homeport("token", "list")
    assert (listed.returncode, "has no owner's token" in listed.stderr) == (4, True)


@pytest.mark.parametrize("name", ["", " ci", "a/b", "x" * 65])
def test_a_name_that_no_token_can_have(homeport, folder, name) -> None:
    with canned(folder, {}):
        done = homeport("token", "create", name)
    assert (done.returncode, done.stdout) == (2, "")
    assert "cannot be the name of a token" in done.stderr


def test_output_that_cannot_be_written_is_an_error(homeport, folder) -> None:
    with canned(folder, LISTED), Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [HOMEPORT, "list"],
            stdout=full,
            stderr=subprocess.PIPE,
            env=homeport.environment,
            text=True,
            check=False,
        )

    assert done.returncode == 1
    assert done.stderr.splitlines()[0] == "error: cannot write the output: No space left on device"
    assert len(done.stderr.splitlines()) == 2


def test_ctrl_c_ends_following_the_log(homeport, folder) -> None:
    with canned(
        folder, {"/api/ports/3000/logs?limit=20": [access(1)], "/api/ports/3000/logs?limit=1000": []}
    ):
        command = homeport.start("logs", "3000", "-f")
        assert command.stdout is not None
        assert "DECISION" in command.stdout.readline()
        command.send_signal(signal.SIGINT)
        rest, complaint = command.communicate(timeout=TIMEOUT)

    assert command.returncode == 130
    assert "Traceback" not in complaint + rest


def test_ports_complete_from_the_live_agent(homeport, folder) -> None:
    with canned(folder, LISTED):
        assert offered(homeport, "url", "") == ["3000", "8000"]
        assert offered(homeport, "share", "8") == ["8000"]


def test_completion_without_an_agent_is_empty_and_silent(homeport) -> None:
    assert press_tab(homeport, "url", "") == []


@pytest.mark.parametrize("command", [("list",), ("ports", "--json")])
def test_the_commands_of_every_minute_import_little(homeport, folder, command) -> None:
    """Each of these packages costs tens of milliseconds, which `homeport list` has not."""
    with canned(folder, LISTED):
        done = homeport(*command, PYTHONPROFILEIMPORTTIME="1")
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}

    assert done.returncode == 0
    assert "http.client" in imported
    assert not {"pydantic", "rich", "asyncio", "fastapi", "httpx", "shellingham", "typer"} & imported


@pytest.mark.parametrize("command", ["list", "ports"])
def test_an_edge_alone_has_no_dev_servers(homeport, folder, command) -> None:
    with canned(folder, {}):
        done = homeport(command)
    assert (done.returncode, done.stdout) == (4, "")
    assert done.stderr.startswith("error: this machine is an edge alone")
    assert "fix: homeport tunnels list" in done.stderr
