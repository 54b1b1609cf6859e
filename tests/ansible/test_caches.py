"""Damaged files in caches cost a download or a build, and never an installation: pip's cache and bin/build-wheel's."""

import hashlib
import http.server
import io
import json
import os
import ssl
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

import pytest
import trustme

from .conftest import ROOT, plugin

BUILDER = ROOT / "bin/build-wheel"


def wheel() -> bytes:
    """A wheel of one module, which has a program."""
    files = {
        "tool.py": f"TEXT = {'0123456789abcdef' * 4000!r}\ndef main(): print('tool 1.0')\n",
        "tool-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: tool\nVersion: 1.0\n",
        "tool-1.0.dist-info/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        "tool-1.0.dist-info/entry_points.txt": "[console_scripts]\ntool = tool:main\n",
    }
    files["tool-1.0.dist-info/RECORD"] = "".join(f"{name},,\n" for name in files)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as file:
        for name, text in files.items():
            file.writestr(name, text)
    return packed.getvalue()


class Index(http.server.BaseHTTPRequestHandler):
    """A package index of that wheel, which may be kept for ever, as those of a real one may."""

    content: ClassVar[bytes] = wheel()
    downloads: ClassVar[int] = 0

    def do_GET(self) -> None:
        name, digest = "tool-1.0-py3-none-any.whl", hashlib.sha256(Index.content).hexdigest()
        is_page = not self.path.endswith(".whl")
        body = f'<a href="/files/{name}#sha256={digest}">{name}</a>'.encode() if is_page else Index.content
        Index.downloads += not is_page
        self.send_response(200)
        self.send_header("Content-Type", "text/html" if is_page else "application/zip")
        self.send_header("Content-Length", str(len(body)))
        if not is_page:
            self.send_header("Cache-Control", "max-age=365000000, immutable, public")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """pip's settings for an index with TLS, without which it caches nothing; the folder of its cache."""
    authority, tls = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(tls)
    certificate = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(certificate))
    for name in [name for name in os.environ if name.upper().startswith("PIP_")]:
        monkeypatch.delenv(name)
    for name in ("PIP_CERT", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"):
        monkeypatch.setenv(name, str(certificate))
    monkeypatch.setenv("NO_PROXY", "localhost")
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_CACHE_DIR", str(tmp_path / "cache"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Index) as server:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        monkeypatch.setenv("PIP_INDEX_URL", f"https://localhost:{server.server_port}/simple")
        yield tmp_path / "cache"
        server.shutdown()


def test_a_damaged_wheel_in_pips_cache_is_downloaded_again(index: Path, tmp_path: Path) -> None:
    made = subprocess.run(
        [sys.executable, BUILDER, "--installer"], capture_output=True, text=True, check=True
    )
    lock = tmp_path / "lock.txt"
    lock.write_text(f"tool==1.0 --hash=sha256:{hashlib.sha256(Index.content).hexdigest()}\n")
    given = {
        "name": "tool", "python": sys.executable, "installer": json.loads(made.stdout)["installer"],
        "lock": str(lock), "wheel": "", "links": {},
    }  # fmt: skip
    Index.downloads = 0

    def install() -> str:
        folder = tmp_path / f"environment{Index.downloads}{len(list(tmp_path.iterdir()))}"
        folder.mkdir()
        plugin("module_utils.installers").install_wheels(folder, given)
        return subprocess.run([folder / "bin/tool"], capture_output=True, text=True, check=True).stdout

    assert install() == "tool 1.0\n"
    [cached] = [file for file in index.rglob("*.body") if file.stat().st_size == len(Index.content)]
    cached.write_bytes(Index.content[:1000] + bytes([Index.content[1000] ^ 1]) + Index.content[1001:])
    assert install() == "tool 1.0\n"
    assert Index.downloads == 2


@pytest.fixture
def builder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """bin/build-wheel with a cache of the test's own."""
    loader = SourceFileLoader("build_wheel_under_test", str(BUILDER))
    spec = spec_from_loader(loader.name, loader)
    assert spec is not None
    module = module_from_spec(spec)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    loader.exec_module(module)
    monkeypatch.setattr(module, "CACHE", tmp_path)
    return module


def test_a_damaged_wheel_of_the_agent_is_built_again(builder: ModuleType) -> None:
    made, built = builder.build_wheel("state")
    assert built
    whole = made.read_bytes()
    assert builder.build_wheel("state") == (made, False)
    for spoil in (
        lambda: os.truncate(made, len(whole) // 2),
        lambda: made.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1])),
    ):
        spoil()
        assert builder.build_wheel("state") == (made, True)
        assert made.read_bytes() == whole


def test_a_damaged_installer_is_packed_again(builder: ModuleType) -> None:
    archive = builder.installer()
    whole = archive.read_bytes()
    os.truncate(archive, len(whole) // 2)
    assert builder.installer() == archive
    assert len(archive.read_bytes()) == len(whole)


def test_a_file_missing_from_the_built_dashboard_builds_it_again(
    builder: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else it would be missing from the wheel."""
    static, runs = tmp_path / "static", []

    def build(command: list[str], folder: Path, *_: Any) -> None:
        runs.append(command[:2])
        (static / "assets").mkdir(parents=True, exist_ok=True)
        (static / "index.html").write_text("<html>")
        (static / "assets/app.js").write_text("script")

    monkeypatch.setattr(builder, "ROOT", Path("/"))
    monkeypatch.setattr(builder, "STATIC", static)
    monkeypatch.setattr(builder, "run", build)
    monkeypatch.setattr(builder, "node_environment", dict)
    assert builder.build_dashboard()
    assert not builder.build_dashboard()
    assert runs == [["npm", "install"], ["npm", "run"]]
    (static / "assets/app.js").unlink()
    assert builder.build_dashboard()
    assert not builder.build_dashboard()
