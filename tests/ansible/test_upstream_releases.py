"""Upstream releases come from a server of the test's own: whole, as their checksum says, or not at all."""

import hashlib
import http.server
import io
import shutil
import subprocess
import tarfile
import threading
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

import pytest

from .conftest import plugin

PROGRAM = b"#!/bin/sh\necho tool 2.0\n" + b"# padding\n" * 20_000
HALF = len(PROGRAM) // 2


def tar(entries: dict[str, bytes], *, links: dict[str, str] | None = None, hard: bool = False) -> bytes:
    """A tar.gz of executable files and links."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as file:
        for name, content in entries.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), 0o755
            file.addfile(entry, io.BytesIO(content))
        for name, target in (links or {}).items():
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname = tarfile.LNKTYPE if hard else tarfile.SYMTYPE, target
            file.addfile(entry)
    return packed.getvalue()


def zipped(entries: dict[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as file:
        for name, content in entries.items():
            file.writestr(name, content)
    return packed.getvalue()


class Releases(http.server.BaseHTTPRequestHandler):
    """Serves `files`; what a path begins with says how."""

    files: ClassVar[dict[str, bytes]] = {}
    asked: ClassVar[list[tuple[str, str]]] = []  # path, Range
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        wanted = self.headers.get("Range", "")
        way, _, name = self.path.lstrip("/").partition("/")
        first = (self.path, "") not in Releases.asked and (self.path, wanted) not in Releases.asked
        Releases.asked.append((self.path, wanted))
        if way == "redirect":
            self.answer(302, b"", Location=f"/plain/{name}")
        elif way == "busy" and first:
            self.answer(503, b"")
        elif name not in Releases.files:
            self.answer(404, b"no such file")
        else:
            self.serve(Releases.files[name], way, wanted, first)

    def serve(self, content: bytes, way: str, wanted: str, first: bool) -> None:
        begin = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted and way != "whole" else 0
        if begin >= len(content):
            self.answer(416, b"")
            return
        body, more = content[begin:], {}
        if begin:
            more["Content-Range"] = f"bytes {begin}-{len(content) - 1}/{len(content)}"
        short = way == "never" or (way in ("breaks", "whole") and first and not begin)
        self.answer(206 if begin else 200, body[: len(body) // 2] if short else body, len(body), **more)
        self.close_connection = short

    def answer(self, status: int, body: bytes, length: int | None = None, **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": len(body) if length is None else length, **headers}.items():
            self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def server() -> Iterator[str]:
    Releases.files, Releases.asked = {"tool": PROGRAM}, []
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Releases) as running:
        threading.Thread(target=running.serve_forever, args=(0.02,), daemon=True).start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plugin("module_utils.downloads"), "PAUSE_SECONDS", 0.0)
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def installers() -> ModuleType:
    return plugin("module_utils.installers")


@pytest.fixture
def artifact() -> ModuleType:
    return plugin("modules.artifact")


Given = Callable[..., dict[str, Any]]


@pytest.fixture
def given(server: str, tmp_path: Path) -> Given:
    """The module's arguments for a file of the server, for this machine."""

    def arguments(path: str, content: bytes = PROGRAM, program: str = "", sha256: str = "") -> dict[str, Any]:
        digest = sha256 or hashlib.sha256(content).hexdigest()
        return {
            "name": "tool", "version": "2.0", "source": "url", "origin": "url 2.0", "program": program,
            "check": ["tool"], "files": {}, "folder": str(tmp_path / "tool"),
            "url": f"{server}/{path}", "sha256": digest,
        }  # fmt: skip

    return arguments


def final(given: dict[str, Any]) -> Path:
    return Path(given["folder"]) / given["version"]


def says(folder: Path) -> str:
    return subprocess.run(
        [folder / "bin/tool"], capture_output=True, text=True, check=True, timeout=60
    ).stdout


@pytest.mark.parametrize(
    ("name", "content", "program"),
    [
        ("tool", PROGRAM, ""),
        ("tool.tar.gz", tar({"tool": PROGRAM, "LICENSE": b"free"}), ""),
        ("tool.tgz", tar({"tool-2.0/bin/tool": PROGRAM}, links={"tool-2.0/latest": "bin/tool"}), ""),
        ("tool.tar.gz", tar({"a/tool": PROGRAM, "b/tool": b"another"}), "a/tool"),
        ("tool.tar.gz", tar({"bin/tool": PROGRAM}), ""),
        ("tool.zip", zipped({"tool": PROGRAM}), ""),
    ],
)
def test_a_release_is_installed_from_each_kind_of_file(
    artifact: ModuleType, given: Given, name: str, content: bytes, program: str
) -> None:
    Releases.files[name] = content
    wanted = given(f"plain/{name}", content, program)
    artifact.install(wanted, final(wanted))
    artifact.switch(final(wanted))
    assert says(Path(wanted["folder"]) / "current") == "tool 2.0\n"
    assert sorted(path.name for path in Path(wanted["folder"]).iterdir()) == ["2.0", "current"]


@pytest.mark.parametrize(("way", "requests"), [("redirect", 2), ("busy", 2), ("breaks", 2), ("whole", 2)])
def test_a_release_comes_by_detours(artifact: ModuleType, given: Given, way: str, requests: int) -> None:
    """A redirection, a busy server, a connection that breaks off, with a server that cannot continue too."""
    wanted = given(f"{way}/tool")
    artifact.install(wanted, final(wanted))
    assert says(final(wanted)) == "tool 2.0\n"
    assert len(Releases.asked) == requests
    if way in ("breaks", "whole"):
        assert Releases.asked[-1] == (f"/{way}/tool", f"bytes={HALF}-")


@pytest.mark.parametrize(
    ("path", "content", "error", "fix"),
    [
        ("plain/missing", PROGRAM, "answers 404 Not Found", "correct the url"),
        ("plain/tool", b"another", "has the SHA-256", "compare both"),
        ("never/tool", PROGRAM, "it ended after", "continued by the next run"),
    ],
)
def test_what_does_not_come_leaves_what_was_there(
    artifact: ModuleType,
    installers: ModuleType,
    given: Given,
    path: str,
    content: bytes,
    error: str,
    fix: str,
) -> None:
    before = given("plain/tool")
    artifact.install(before, final(before))
    wanted = given(path, content)
    with pytest.raises(installers.InstallError) as caught:
        artifact.install(wanted, final(wanted))
    assert error in caught.value.error
    assert fix in caught.value.fix
    assert says(final(wanted)) == "tool 2.0\n"
    assert [entry.name for entry in Path(wanted["folder"]).iterdir() if entry.is_dir()] == ["2.0"]


def test_the_next_run_continues_what_an_earlier_one_began(
    artifact: ModuleType, installers: ModuleType, given: Given
) -> None:
    wanted = given("never/tool")
    with pytest.raises(installers.InstallError):
        artifact.install(wanted, final(wanted))
    [part] = Path(wanted["folder"]).glob(".download-*")
    there = part.stat().st_size
    assert 0 < there < len(PROGRAM)
    artifact.install(given("plain/tool"), final(wanted))
    assert Releases.asked[-1] == ("/plain/tool", f"bytes={there}-")
    assert says(final(wanted)) == "tool 2.0\n"


def test_the_version_before_stays_and_what_runs(artifact: ModuleType, given: Given, tmp_path: Path) -> None:
    """The way back leads to the version before; an older one goes, unless its successors did not come up."""
    shutil.copy("/bin/sleep", tmp_path / "sleep")
    Releases.files["tool"] = (tmp_path / "sleep").read_bytes()
    folder = tmp_path / "tool"

    def go_to(version: str) -> list[str]:
        wanted = {**given("plain/tool", Releases.files["tool"]), "version": version, "check": []}
        artifact.install(wanted, folder / version)
        artifact.switch(folder / version)
        return sorted(path.name for path in folder.iterdir())

    assert go_to("1") == ["1", "current"]
    assert go_to("2") == ["1", "2", "current"]
    assert go_to("3") == ["2", "3", "current"]
    with subprocess.Popen([folder / "2/bin/tool", "600"]) as running:
        try:
            assert go_to("4") == ["2", "3", "4", "current"]
        finally:
            running.kill()
    assert go_to("5") == ["4", "5", "current"]


@pytest.mark.parametrize("left", [b"something else", PROGRAM + b"and more", PROGRAM])
def test_a_beginning_that_is_not_the_files_is_given_up(
    artifact: ModuleType, given: Given, left: bytes
) -> None:
    wanted = given("plain/tool")
    Path(wanted["folder"]).mkdir()
    digest = hashlib.sha256(PROGRAM).hexdigest()
    (Path(wanted["folder"]) / f".download-{digest[:16]}").write_bytes(left)
    artifact.install(wanted, final(wanted))
    assert says(final(wanted)) == "tool 2.0\n"
    assert len(Releases.asked) == (0 if left == PROGRAM else 2)


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (tar({"../outside": b"x", "tool": PROGRAM}), "'../outside', which lies outside"),
        (tar({"/outside": b"x", "tool": PROGRAM}), "'/outside', which lies outside"),
        (tar({"tool": PROGRAM}, links={"up": "../../outside"}), "lies outside"),
        (tar({"tool": PROGRAM}, links={"up": "/etc/passwd"}), "lies outside"),
        (tar({"tool": PROGRAM}, links={"up": "../outside"}, hard=True), "lies outside"),
        (tar({"d/x": b"", "tool": PROGRAM}, links={"l": "d", "e": "l/../../outside"}), "outside"),
        (tar({"other": PROGRAM}), "it does not have one file tool"),
        (tar({"a/tool": b"x", "b/tool": b"y"}), "it does not have one file tool"),
        (tar({"tool": PROGRAM})[:-20], "it is no whole tar file"),
        (b"<html>log in first</html>", "it is no whole tar file"),
    ],
)
def test_an_archive_that_is_not_right_is_refused(
    artifact: ModuleType, installers: ModuleType, given: Given, tmp_path: Path, content: bytes, error: str
) -> None:
    Releases.files["tool.tar.gz"] = content
    wanted = given("plain/tool.tar.gz", content)
    with pytest.raises(installers.InstallError) as caught:
        artifact.install(wanted, final(wanted))
    assert error in caught.value.error
    assert not final(wanted).exists()
    assert not (tmp_path / "outside").exists()
    assert not (tmp_path / "tool/outside").exists()


def test_an_archive_stays_within_its_limits(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    archives = plugin("module_utils.archives")
    packed = tmp_path / "tool.tar.gz"
    packed.write_bytes(tar({"tool": b"0" * 100_000, "b": b"", "c": b""}))
    for limit, value, error in (("MOST_BYTES", 50_000, "GiB"), ("MOST_FILES", 2, "more than 2 files")):
        with monkeypatch.context() as limited:
            limited.setattr(archives, limit, value)
            target = tmp_path / limit
            target.mkdir()
            with pytest.raises(archives.ArchiveError, match=error):
                archives.unpack(packed, "tar", target)


def test_a_file_without_end_is_given_up(
    monkeypatch: pytest.MonkeyPatch, artifact: ModuleType, installers: ModuleType, given: Given
) -> None:
    monkeypatch.setattr(plugin("module_utils.downloads"), "MOST_BYTES", 1000)
    wanted = given("plain/tool")
    with pytest.raises(installers.InstallError, match="more than"):
        artifact.install(wanted, final(wanted))
    assert list(Path(wanted["folder"]).iterdir()) == []


def test_a_program_that_does_not_run_is_not_put_in_place(
    artifact: ModuleType, installers: ModuleType, given: Given
) -> None:
    Releases.files["tool"] = b"#!/bin/sh\necho wrong machine\nexit 8\n"
    wanted = given("plain/tool", Releases.files["tool"])
    with pytest.raises(installers.InstallError, match="wrong machine"):
        artifact.install(wanted, final(wanted))
    assert list(Path(wanted["folder"]).iterdir()) == []


def test_messages_show_no_password_of_a_url(artifact: ModuleType) -> None:
    shown = plugin("module_utils.downloads").shown
    assert (
        shown("https://me:secret@example.com:8443/a/b.zip?token=secret") == "https://example.com:8443/a/b.zip"
    )
