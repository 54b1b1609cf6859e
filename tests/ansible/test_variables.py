"""The variables of roles: read from the roles, converted, and compared with what a host has."""

import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

from .conftest import ROLES, plugin
from .test_runs import ROOT, playbook

TEXT, NUMBER, FLAG = {"type": "str"}, {"type": "int"}, {"type": "bool"}
TEXTS, NUMBERS = {"type": "list", "elements": "str"}, {"type": "list", "elements": "int"}
SECRET = {"type": "dict", "no_log": True}


@pytest.fixture(scope="module")
def variables() -> ModuleType:
    return plugin("plugin_utils.variables")


@pytest.mark.parametrize(
    ("option", "value", "converted"),
    [
        (TEXT, "a", "a"),
        (TEXT, 512, "512"),
        (NUMBER, "9000", 9000),
        (FLAG, "false", False),
        (FLAG, "no", False),
        (FLAG, 1, True),
        (TEXTS, [80, "6000-6009"], ["80", "6000-6009"]),
        (NUMBERS, ["22"], [22]),
        ({"type": "raw"}, "false", "false"),
        (SECRET, {"KEY": "x"}, {"KEY": "x"}),
    ],
)
def test_a_value_is_converted_to_its_type(
    variables: ModuleType, option: dict[str, Any], value: Any, converted: Any
) -> None:
    assert variables.convert("x", option, value) == converted
    assert type(variables.convert("x", option, value)) is type(converted)


@pytest.mark.parametrize(
    ("option", "value", "error", "fix"),
    [
        (TEXT, ["a"], 'x is ["a"], where a text belongs', "in quotes"),
        (TEXT, False, "x is false, where a text belongs", "in quotes"),
        (NUMBER, "lots", 'x is "lots", where a number belongs', "a number"),
        (NUMBER, True, "x is true, where a number belongs", "a number"),
        (FLAG, "maybe", 'x is "maybe", where true or false belongs', "true or false"),
        (NUMBERS, 22, "x is 22, where a list belongs", "x: [22]"),
        (NUMBERS, "22", 'x is "22", where a list belongs', """-e '{"x": [22]}'"""),
        (TEXTS, "10.0.0.0/8, ::1", "where a list belongs", 'x: ["10.0.0.0/8", "::1"]'),
        (TEXTS, [["a"]], 'an entry of x is ["a"], where a text belongs', "each entry is a text"),
        (NUMBERS, ["ssh"], 'an entry of x is "ssh", where a number belongs', "each entry is a number"),
        ({**TEXT, "choices": ["a", "b"]}, "c", "(one of a, b)", "in quotes"),
        (SECRET, "hunter2", "x is another value, where names with values belongs", "name: value"),
    ],
)
def test_a_value_of_another_type_is_one_error_with_its_fix(
    variables: ModuleType, option: dict[str, Any], value: Any, error: str, fix: str
) -> None:
    with pytest.raises(ValueError, match="x is") as raised:
        variables.convert("x", option, value)
    assert error in str(raised.value)
    assert fix in variables.fix("x", option, value)
    assert "hunter2" not in str(raised.value) + variables.fix("x", option, value)


def test_a_value_is_shown_short_and_without_control_characters(variables: ModuleType) -> None:
    with pytest.raises(ValueError, match="belongs") as raised:
        variables.convert("x", NUMBER, "\x9b[31m" + "long" * 100)
    assert raised.value.args[0].isprintable()
    assert len(raised.value.args[0]) < 2 * variables.MOST_SHOWN


def test_what_no_role_knows_is_named_with_what_is_near(variables: ModuleType) -> None:
    own = {"caddy_port": NUMBER, "caddy_bind": TEXTS}
    roles = [
        variables.Role("caddy", own, {}, frozenset({"caddy_file", "caddy_written"})),
        variables.Role("service", {"service_name": {"required": True}}, {}, frozenset()),
    ]
    names = ["caddy_prot", "caddy_email", "caddy_port", "caddy_written", "service_mine", "other", "caddyport"]
    assert variables.unknown(roles, names) == [
        ("caddy_email is no variable of Homeport", "leave it out; there are caddy_bind, caddy_port"),
        ("caddy_prot is no variable of Homeport", "write caddy_port"),
    ]


def test_a_name_of_an_earlier_release_is_no_silent_default(variables: ModuleType) -> None:
    [(error, fix)] = variables.unknown([], ["release_keep", "release"])
    assert (error, fix) == ("release_keep has another name now", "write artifact_keep_releases")
    declared = {name for role in ROLES.iterdir() for name in variables.read_role(role, read).options}
    assert set(variables.RENAMED.values()) <= declared


def read(path: Path) -> Any:
    return yaml.safe_load(path.read_text())


def test_names_of_a_roles_own_use_are_known(variables: ModuleType) -> None:
    """Those that it registers or sets are there when preflight looks a second time in one run."""
    role = variables.read_role(ROLES / "homeportd", read)
    assert {"homeportd_settings", "homeportd_new", "homeportd_rollback_database"} <= role.internal
    assert "homeportd_memory_max" in role.options
    assert role.is_for_people


def test_an_empty_value_leaves_the_default(variables: ModuleType) -> None:
    role = variables.Role("caddy", {"caddy_port": NUMBER}, {"caddy_port": 8080}, frozenset())
    found = variables.settings([role], {"caddy_port": None}, lambda value: value)
    assert (found.values, found.problems) == ({"caddy_port": 8080}, [])


def test_secrets_do_not_leave_the_controller(settings: dict[str, Any]) -> None:
    assert "traefik_dns_provider" in settings
    assert "traefik_dns_credentials" not in settings


def run(tmp_path: Path, **values: Any) -> str:
    file = tmp_path / "vars.json"
    file.write_text(json.dumps(values))
    return playbook(ROOT / "playbooks/preflight.yml", "--extra-vars", f"@{file}").stdout


def test_every_mistake_is_one_error_and_nothing_is_changed(tmp_path: Path) -> None:
    output = run(
        tmp_path,
        homeportd_memory_max="lots",
        firewall_enabled="maybe",
        firewall_ssh_ports=22,
        caddy_bind="127.0.0.1",
        homeport_user=False,
        homeport_orign="http://{port}.localhost",
        traefik_dns_credentials="KEY=hunter2",
    )
    for error in (
        "homeportd_memory_max is 'lots', which is no amount of memory",
        "firewall_enabled is 'maybe'",
        "firewall_ssh_ports is 22, where a list belongs",
        'caddy_bind is "127.0.0.1", where a list belongs',
        "homeport_user is false, where a text belongs",
        "homeport_orign is no variable of Homeport",
        "traefik_dns_credentials is another value",
    ):
        assert output.count(f"error: {error}") == 1, error
    assert output.count("error: ") == output.count("fix: ") == 7
    assert "fix: write homeport_origin\n" in output
    assert "Nothing was changed." in output
    assert "hunter2" not in output


def test_a_text_on_the_command_line_is_converted(tmp_path: Path) -> None:
    play = [
        {
            "hosts": "localhost",
            "gather_facts": False,
            "roles": ["preflight"],
            "tasks": [
                {
                    "ansible.builtin.debug": {
                        "msg": "{{ [homeport.firewall.enabled, homeport.agent.open_files, homeport.caddy.port] }}"
                    }
                }
            ],
        }
    ]
    file = tmp_path / "play.yml"
    file.write_text(json.dumps(play))
    given = {
        "firewall_enabled": "false",
        "homeportd_open_files": "4096",
        "caddy_port": "8180",
        "homeport_origin": "http://{port}.localhost:8180",
    }
    options = [word for name, value in given.items() for word in ("-e", f"{name}={value}")]
    result = playbook(file, f"--inventory={ROOT / 'inventory/local'}", *options)
    assert result.returncode == 0, result.stdout
    assert "[False, 4096, 8180]" in result.stdout.replace("\n", "").replace("    ", "")
