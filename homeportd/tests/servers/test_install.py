"""Dependencies that are missing, and their installation before a start: real npm, with a package of the repo's own."""

from __future__ import annotations

import asyncio
import json
import os
import shutil

import pytest

from homeportd.servers.dependencies import missing
from homeportd.servers.detection.snapshot import snapshot
from homeportd.servers.text import coloured, plain

PACKAGE = {"name": "shop", "private": True, "scripts": {"dev": "node serve.js"}}
JS = (
    "const {hello} = require('greeting');"
    "require('http').createServer((q, r) => r.end(hello)).listen(process.env.PORT, '127.0.0.1')"
)
FILES = {
    "package.json": json.dumps(PACKAGE | {"dependencies": {"greeting": "file:./greeting"}}),
    "serve.js": JS,
    "greeting/package.json": json.dumps({"name": "greeting", "version": "1.0.0", "main": "index.js"}),
    "greeting/index.js": "exports.hello = 'hello'",
    "Procfile": "",
}


@pytest.mark.skipif(shutil.which("npm") is None, reason="npm is not installed")
async def test_install_and_start(make_repo, api, ask):
    repo = make_repo("shop", FILES)
    await api.repo()
    listed = (await api.peer.get("/api/repos/shop/servers")).json()["servers"]
    assert [(each["name"], each["missing"]) for each in listed] == [("dev", "node_modules is missing")]
    answer = await api.post("start", {"install": True}, status=202)
    assert answer["job"]["kind"] == "install"
    assert (await api.post("start", {"install": True}, status=409))["detail"].endswith(
        str(answer["job"]["id"])
    )
    listening = await api.until(answer["server"], "listening")
    assert await ask(listening["port"]) == "hello"
    job = (await api.peer.get(f"/api/jobs/{answer['job']['id']}")).json()
    assert job["state"] in ("running", "done")
    assert (repo / "node_modules/greeting").exists()
    (listed,) = (await api.peer.get("/api/repos/shop/servers")).json()["servers"]
    assert listed["missing"] is None


@pytest.mark.skipif(shutil.which("npm") is None, reason="npm is not installed")
async def test_a_cancelled_installation_ends_and_starts_nothing(make_repo, api, settings):
    package = json.loads(FILES["package.json"])
    package["scripts"] |= {"preinstall": "echo begun > begun; sleep 600"}
    repo = make_repo("shop", FILES | {"package.json": json.dumps(package)})
    await api.repo()
    answer = await api.post("start", {"install": True}, status=202)
    async with asyncio.timeout(60):
        while not (repo / "begun").exists():  # noqa: ASYNC110 - a file of npm's
            await asyncio.sleep(0.05)
        (folder,) = (settings.data_dir / "processes").glob("install-*")
        await api.peer.post(f"/api/jobs/{answer['job']['id']}/cancel")
        while folder.exists():  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    assert (await api.get(answer["server"]))["state"] == "stopped"


async def test_an_installation_that_fails_says_so_and_starts_nothing(make_repo, api):
    make_repo(
        "shop", FILES | {"package-lock.json": "{", "package.json": "", "composer.json": "{}", "artisan": ""}
    )
    await api.repo()
    answer = await api.post("start", {"install": True}, status=202)
    async with asyncio.timeout(60):
        while (job := (await api.peer.get(f"/api/jobs/{answer['job']['id']}")).json())["state"] != "failed":  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    assert job["error"]["detail"].startswith("composer install failed with code ")
    assert (await api.get(answer["server"]))["state"] == "stopped"


@pytest.mark.parametrize(
    ("files", "made", "detail"),
    [
        ({"package.json": json.dumps(PACKAGE)}, (), None),  # it needs nothing
        (FILES, (), "node_modules is missing"),
        (FILES, ("node_modules/.package-lock.json",), None),
        (FILES | {"package-lock.json": "{}"}, (), "node_modules is missing"),
        ({"uv.lock": "", "pyproject.toml": ""}, (), ".venv is missing"),
        ({"requirements.txt": "flask"}, (), ".venv is missing"),
        ({"requirements.txt": "flask"}, (".venv/pyvenv.cfg",), None),
        ({"mix.exs": ""}, (), "deps is missing"),
        ({"package.json": "[]", "composer.json": "{}"}, (), "vendor is missing"),
    ],
)
def test_what_is_missing(tmp_path, files, made, detail):
    for name in (*files, *made):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(files.get(name, ""))
    found = missing(tmp_path, snapshot(tmp_path), "")
    assert (found.detail if found else None) == detail


def test_a_lock_that_changed_after_the_installation(tmp_path):
    for name in ("package.json", "package-lock.json", "node_modules/.package-lock.json"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(FILES.get(name, "{}"))
    os.utime(tmp_path / "package-lock.json", (2e9, 2e9))
    found = missing(tmp_path, snapshot(tmp_path), "")
    assert found.detail == "node_modules is older than package-lock.json"
    assert found.command.startswith("npm install")


@pytest.mark.parametrize(
    ("text", "shown", "with_colours"),
    [
        ("\x1b[31mred\x1b[0m", "red", "\x1b[31mred\x1b[0m"),
        ("\x1b]0;title\x07a\x1b[2Jb\x1b[1;1H", "ab", "ab"),
        ("10 %\r20 %\r", "10 %20 %", "20 %"),
        ("a\x00b\x08c\u202e", "abc", "abc"),
        ("\x1bP1$r\x1b\\x", "x", "x"),
        ("ümläut ✓", "ümläut ✓", "ümläut ✓"),
    ],
)
def test_output_steers_no_terminal(text, shown, with_colours):
    assert plain(text) == shown
    assert coloured(text) == with_colours
