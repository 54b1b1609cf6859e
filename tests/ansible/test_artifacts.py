"""Third-party programs: which source is chosen, what is installed, and that damage is noticed and mended."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

from .conftest import ROOT, plugin

ANSIBLE = Path(sys.executable).parent / "ansible-playbook"
MACHINE = os.uname().machine
SHA256 = "0123456789abcdef" * 4
RUN_S = 600

Chosen = Callable[..., dict[str, Any]]


@pytest.fixture
def chosen(defaults: Callable[[str], dict[str, Any]]) -> Chosen:
    """The row of Caddy for what an inventory says."""

    def choose(sources: dict[str, Any], urls: dict[str, Any], name: str = "caddy") -> dict[str, Any]:
        table = without_npm(defaults("artifact")["artifact_table"])
        return dict(plugin("plugin_utils.artifacts").choose(table, sources, urls, Path("/r"), "x86_64")[name])

    return choose


def without_npm(table: dict[str, Any]) -> dict[str, Any]:
    """The rows of programs whose choice reads no lock."""
    return {name: row for name, row in table.items() if "npm" not in row}


FILE = {"url": "https://example.com/caddy.tar.gz", "sha256": SHA256.upper()}
RELEASE = {"version": "2.11.9", "platforms": {"x86_64": FILE, "aarch64": {}}}


def test_one_variable_chooses_the_source(chosen: Chosen) -> None:
    wheel = chosen({}, {"caddy": RELEASE})
    assert (wheel["source"], wheel["origin"], wheel["lock"]) == ("wheel", "wheel", "/r/caddy.txt")
    assert chosen({"caddy": "url"}, {"caddy": RELEASE}) == {
        "source": "url",
        "version": "2.11.9",
        "origin": f"url {SHA256[:16]}",
        "program": "",
        "url": FILE["url"],
        "sha256": SHA256,
        "check": ["caddy", "version"],
    }


@pytest.mark.parametrize(
    ("sources", "release", "error"),
    [
        ({"caddy": "rpm"}, RELEASE, "artifact_sources.caddy is 'rpm'"),
        ({"caddy": "apt"}, RELEASE, "artifact_sources.caddy is 'apt'"),
        ({"caddy": "url"}, None, "there is no artifact_urls.caddy"),
        ({"caddy": "url"}, {"version": "../x"}, "artifact_urls.caddy.version is '../x'"),
        ({"caddy": "url"}, {"version": 2}, "artifact_urls.caddy.platforms has no x86_64 (none)"),
        (
            {"caddy": "url"},
            {"version": "2", "platforms": {"s390x": FILE}},
            "artifact_urls.caddy.platforms has no x86_64 (s390x)",
        ),
        ({"caddy": "url"}, {**RELEASE, "checksum": "x"}, "artifact_urls.caddy has 'checksum'"),
        *(
            ({"caddy": "url"}, {"version": "2", "platforms": {"x86_64": file}}, error)
            for file, error in (
                ({"url": FILE["url"]}, "has no sha256 (64 hexadecimal digits)"),
                ({**FILE, "sha256": ""}, "has no sha256"),
                ({**FILE, "sha256": None}, "has no sha256"),
                ({**FILE, "sha256": "0x" + SHA256[2:]}, "has no sha256"),
                ({**FILE, "url": "caddy.tar.gz"}, "url is 'caddy.tar.gz'"),
                ({**FILE, "url": "file:///etc/shadow"}, "url is 'file:///etc/shadow'"),
                ({**FILE, "size": 1}, "platforms.x86_64 is {"),
                ("https://example.com", "platforms.x86_64 is 'https://example.com'"),
            )
        ),
    ],
)
def test_what_the_inventory_says_wrongly_is_an_error_with_its_fix(
    chosen: Chosen, sources: dict[str, str], release: Any, error: str
) -> None:
    row = chosen(sources, {"caddy": release} if release else {})
    assert error in row["error"]
    assert row["fix"]


def test_a_name_that_the_table_does_not_know_is_an_error(chosen: Chosen) -> None:
    for variable, given in (
        ("artifact_sources", ({"cady": "url"}, {})),
        ("artifact_urls", ({}, {"cady": RELEASE})),
    ):
        assert chosen(*given, name="cady")["error"] == f"{variable} has 'cady'"


def test_only_what_a_host_needs_stands_in_its_way(defaults: Callable[[str], dict[str, Any]]) -> None:
    artifacts, table = plugin("plugin_utils.artifacts"), without_npm(defaults("artifact")["artifact_table"])
    rows = artifacts.choose(table, {"caddy": "url", "cady": "url"}, {}, Path("/r"), "x86_64")
    errors = [problem["error"] for problem in artifacts.unusable(rows, table, ["traefik", "supervisor"])]
    assert errors == ["artifact_sources has 'cady'"]
    assert len(artifacts.unusable(rows, table, ["caddy", "traefik"])) == 2


def test_a_program_of_npm_is_made_anew_for_another_lock_or_node(tmp_path: Path) -> None:
    choose = plugin("plugin_utils.artifacts").choose
    (tmp_path / "one").mkdir()
    table = {
        "node": {"wheel": {"version": "24.1.0", "lock": "node.txt"}},
        "one": {"npm": {"version": "1.0", "project": "one", "programs": ["one"]}},
    }
    origins = set()
    for lock, node in (("{}", "24.1.0"), ("{ }", "24.1.0"), ("{ }", "24.2.0")):
        (tmp_path / "one/package-lock.json").write_text(lock)
        table["node"]["wheel"]["version"] = node
        origins.add(choose(table, {}, {}, tmp_path, "x86_64")["one"]["origin"])
    assert len(origins) == 3


@pytest.fixture
def manifest() -> ModuleType:
    return plugin("module_utils.manifest")


@pytest.fixture
def folder(tmp_path: Path, manifest: ModuleType) -> Path:
    """A folder with its manifest: a program, a script, and a link."""
    top = tmp_path / "tool"
    (top / "bin").mkdir(parents=True)
    (top / "bin/tool").write_bytes(bytes(range(256)) * 8192)  # more than is hashed at once
    (top / "bin/tool").chmod(0o755)
    (top / "text").write_text("text")
    (top / "lib").symlink_to("bin")
    manifest.write(top, "wheel")
    return top


def flip(path: Path, position: int = 1_500_000) -> None:
    """Change one bit of a file, and nothing else that could be noticed."""
    seen = path.stat()
    with path.open("r+b") as file:
        file.seek(position)
        [byte] = file.read(1)
        file.seek(position)
        file.write(bytes([byte ^ 1]))
    os.utime(path, ns=(seen.st_atime_ns, seen.st_mtime_ns))


def relink(folder: Path) -> None:
    (folder / "lib").unlink()
    (folder / "lib").symlink_to("/etc")


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda folder: flip(folder / "bin/tool"), "bin/tool has another content"),
        (lambda folder: (folder / "text").unlink(), "text is missing"),
        (lambda folder: os.truncate(folder / "text", 2), "text has another size"),
        (lambda folder: (folder / "bin/tool").chmod(0o644), "bin/tool has another size or other permissions"),
        (relink, "lib leads elsewhere"),
        (lambda folder: (folder / "lib").unlink(), "lib is missing"),
        (lambda folder: (folder / ".manifest.json").unlink(), "was not finished"),
        (lambda folder: os.truncate(folder / ".manifest.json", 90), "was not finished"),
    ],
)
def test_each_kind_of_damage_is_noticed(
    manifest: ModuleType, folder: Path, spoil: Callable[[Path], None], words: str
) -> None:
    assert manifest.damage(folder) == ""
    spoil(folder)
    assert words in manifest.damage(folder)


def test_what_comes_later_is_no_damage(manifest: ModuleType, folder: Path) -> None:
    (folder / "kept").mkdir()
    (folder / "kept/agent.toml").touch()
    (folder / ".answered").touch()
    (folder / "bin/__pycache__").mkdir()
    assert manifest.damage(folder) == ""
    manifest.write(folder, "wheel")
    shutil.rmtree(folder / "kept")
    (folder / ".answered").unlink()
    assert manifest.damage(folder) == ""


def test_installed_releases_are_listed_with_what_became_of_them(
    release_facts: ModuleType, tmp_path: Path
) -> None:
    for age, name in enumerate(("old", "middle", "new")):
        folder = tmp_path / "releases" / name
        folder.mkdir(parents=True)
        (folder / ".complete").touch()
        os.utime(folder / ".complete", (1000 + age, 1000 + age))
    (tmp_path / "releases/half").mkdir()
    for age, name in enumerate(("middle", "old")):
        (tmp_path / "releases" / name / "kept").mkdir()
        os.utime(tmp_path / "releases" / name / "kept", (2000 + age, 2000 + age))
    (tmp_path / "releases/old/.answered").touch()
    assert release_facts.releases(tmp_path / "releases", tmp_path / "current")["current"] is None
    (tmp_path / "current").symlink_to("releases/new")
    assert release_facts.releases(tmp_path / "releases", tmp_path / "current") == {
        "complete": ["new", "middle", "old"],
        "broken": ["half"],
        "kept": ["old", "middle"],
        "answered": ["old"],
        "current": "new",
        "origin": "",  # of a release from before there were manifests nothing is known
        "made": "",
    }
    assert release_facts.releases(tmp_path / "nothing", tmp_path / "nowhere")["complete"] == []


@dataclass(frozen=True)
class Install:
    """Runs of the role for one program, each after a look at what is installed as preflight has it."""

    folder: Path

    def start(
        self, tool: str, *options: str, tasks: str = "tool.yml", **variables: Any
    ) -> subprocess.Popen[str]:
        tools, look = self.folder / "tools", plugin("module_utils.release_facts").releases
        installed = {path.name: look(path, path / "current") for path in tools.glob("*")}
        homeport = {"software": str(self.folder), "machine": MACHINE, "installed": installed}
        given = {"homeport": homeport, "artifact_tool": tool, "artifact_python": sys.executable, **variables}
        include = {"ansible.builtin.include_role": {"name": "artifact", "tasks_from": tasks}}
        play = {"hosts": "localhost", "gather_facts": False, "vars": given, "tasks": [include]}
        file = self.folder / "play.yml"
        file.write_text(yaml.safe_dump([play]))
        return subprocess.Popen(
            [ANSIBLE, file, f"--inventory={ROOT / 'inventory/local'}", "--diff", *options],
            env={**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "LC_ALL": "C.UTF-8"},
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True,
        )  # fmt: skip

    def __call__(self, tool: str, *options: str, **more: Any) -> str:
        """The output of a whole run."""
        with self.start(tool, *options, **more) as process:
            return process.communicate(timeout=RUN_S)[0]

    def interrupt(self, tool: str, at: Path) -> None:
        """Kill ansible-playbook as soon as a path is there: what it started on the host goes on, as over SSH."""
        with self.start(tool) as process:
            while not at.exists():
                assert process.poll() is None
                time.sleep(0.01)
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate(timeout=RUN_S)


@pytest.fixture
def install(tmp_path: Path) -> Install:
    return Install(tmp_path)


def test_a_wheel_is_installed_noticed_when_damaged_and_mended(install: Install, tmp_path: Path) -> None:
    versions = tmp_path / "tools/supervisor"
    preview = install("supervisor", "--check")
    assert "tools/supervisor/4.3.0: absent → made from wheel" in preview
    assert "changed=1" in preview
    assert not (tmp_path / "tools").exists()
    # An earlier commit left a mark, by which nothing could be told but that it had been finished.
    (versions / "4.3.0/bin").mkdir(parents=True)
    (versions / "4.3.0/.complete").touch()
    (versions / "current").symlink_to("4.3.0")
    install.interrupt("supervisor", versions / ".4.3.0.new/pyvenv.cfg")
    assert (versions / "4.3.0/.complete").exists()
    # It waits for what is still at work, and finds it done, or begins anew.
    first = install("supervisor")
    assert "failed=0" in first, first
    assert sorted(path.name for path in versions.iterdir()) == ["4.3.0", "current"]
    assert not (versions / "4.3.0/.complete").exists()
    program = versions / "current/bin/supervisord"
    assert program.read_text().startswith(f"#!{versions}/4.3.0/bin/python")
    said = subprocess.run([program, "--version"], capture_output=True, text=True, check=True)
    assert said.stdout == "4.3.0\n"
    # Preflight has looked: the task is not even run.
    again = install("supervisor")
    assert "ok=1 changed=0" in again, again

    flip(program, 30)
    preview = install("supervisor", "--check")
    assert "damaged: bin/supervisord has another content → made from wheel" in preview
    assert "supervisor 4.3.0 was damaged" in preview
    (versions / ".4.3.0.new/bin").mkdir(parents=True)  # of a run that ended half-way
    mended = install("supervisor")
    assert "changed=1" in mended, mended
    assert sorted(path.name for path in versions.iterdir()) == ["4.3.0", "current"]
    assert "changed=0" in install("supervisor")


def test_a_program_of_npm_comes_with_its_node(
    install: Install, tmp_path: Path, defaults: Callable[[str], dict[str, Any]]
) -> None:
    project = Path(__file__).parent / "npm"
    row = {
        "npm": {"version": "7.7.3", "project": str(project), "programs": ["semver"]},
        "check": ["semver", "-h"],
    }
    table = {**json.loads(json.dumps(defaults("artifact")["artifact_table"])), "semver": row}
    assert "changed=2" in install("semver", "--check", tasks="npm.yml", artifact_table=table)
    result = install("semver", tasks="npm.yml", artifact_table=table)
    assert "changed=2" in result, result
    command = [tmp_path / "tools/semver/current/bin/semver", "-r", ">=1.2", "1.1.0", "1.3.0"]
    found = subprocess.run(command, env={}, capture_output=True, text=True, check=True, timeout=60)
    assert found.stdout == "1.3.0\n"
    assert "changed=0" in install("semver", tasks="npm.yml", artifact_table=table)
    # Another content under the locked name is refused, and what was there stays.
    shutil.copytree(project, tmp_path / "project")
    lock = tmp_path / "project/package-lock.json"
    lock.write_text(lock.read_text().replace('"integrity": "sha512-S', '"integrity": "sha512-T'))
    row["npm"]["project"] = str(lock.parent)
    result = install("semver", tasks="npm.yml", artifact_table=table)
    assert "EINTEGRITY" in result
    assert subprocess.run(command, env={}, capture_output=True, check=True, timeout=60)


def test_the_locks_of_npm_name_no_index() -> None:
    for lock in (Path(__file__).parent / "npm").glob("package-lock.json"):
        packages = json.loads(lock.read_text())["packages"]
        assert [name for name, package in packages.items() if "resolved" in package] == []
        assert [name for name, package in packages.items() if name and "integrity" not in package] == []


def test_a_package_of_debian_is_previewed_without_apt(install: Install) -> None:
    result = install("nftables", "--check")
    assert "nftables: absent → installed" in result
    assert "changed=1" in result


def test_a_release_without_a_checksum_is_refused_in_words(install: Install) -> None:
    release = {"caddy": {"version": "2.11.9", "platforms": {MACHINE: {"url": FILE["url"]}}}}
    result = install("caddy", artifact_sources={"caddy": "url"}, artifact_urls=release)
    assert f"error: artifact_urls.caddy.platforms.{MACHINE} has no sha256" in result
    assert "fix: download the file" in result
    assert "sha256sum" in result
