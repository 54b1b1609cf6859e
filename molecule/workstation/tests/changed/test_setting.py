"""A changed setting restarts what reads it, and nothing else."""

from testinfra.host import Host

from conftest import as_user, playbook, wait_for

testinfra_hosts = ["ansible://workstation"]


def pid(host: Host, unit: str) -> str:
    return host.check_output("systemctl show --property=MainPID --value %s", unit)


def test_changed_ranges_restart_the_agent_alone(host: Host) -> None:
    name = host.backend.host
    agent, caddy = pid(host, "homeportd.service"), pid(host, "homeport-caddy.service")
    changed = playbook("--limit", name, "--extra-vars", '{"homeport_port_ranges": ["5000-5999"]}')[name]
    assert changed["failed"] == 0
    assert changed["changed"] > 0
    wait_for(lambda: host.run("runuser -l dev -c %s", "homeport status").rc == 0)
    assert pid(host, "homeportd.service") != agent
    assert pid(host, "homeport-caddy.service") == caddy
    assert '"5000-5999"' in host.file("/etc/homeport/agent.toml").content_string
    assert as_user(host, "homeport doctor")
    # And back again, as the inventory says.
    assert playbook("--limit", name)[name]["changed"] > 0
    assert playbook("--limit", name)[name]["changed"] == 0
